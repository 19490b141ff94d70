"""The section of a page that shows one clip: to see, to hear and to touch.

Its parts are the files of ``page/``: a template, a style sheet, and scripts that need no library.
Without scripts, a picture and labelled players are there.
"""

import html
import json
import zlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from string import Template
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from ..scoring import ExplainedClip, layer_cell, p_text
from .clip_data import clip_data, first_of
from .page_sound import PageSound, fitting_bitrate, page_sound
from .pictures import figure_address
from .players import MOST_CHANNELS, player, shared_peak, sound_address
from .plot import METHOD_TITLES
from .plot import interpretation as interpretation_figure

PARTS = Path(__file__).with_name("page")
SOUND_SCRIPTS = ("fft.js", "masking.js")
"""Scripts that make sounds; a worker runs a copy of them."""
SCRIPTS = (
    "maps.js",
    "sounds.js",
    "player.js",
    "stage.js",
    "chart.js",
    "component.js",
    "overview.js",
    "start.js",
)
LARGEST_PLAYER = 1_000_000
"""Bytes of a part that a browser without scripts plays, as far as 33 kbit/s allow."""
AS_CLASSIFIED = (
    "The sounds of this page are the clip as the classifier takes it, one channel at {rate} Hz, "
    "and the parts that a mask keeps and removes of it. Each p is that of the sound itself, "
    "however loud it is played."
)
OWN_SOUND = (
    "The sounds of this page are the file's own, {channels} at {rate} Hz, and the parts that a "
    "mask keeps and removes of it. Each p is that of the same part as the classifier takes it: "
    "one channel, the mean of the file's, at {heard} Hz, however loud it is played."
)
AS_MP3 = (
    "The clip is held as MP3 to keep this page small, so its sounds are not exactly those of WAV "
    "files that are written beside it."
)
TERMS = (
    "p is the probability that the classifier gives to the class; a bin is one cell of the "
    "spectrogram below."
)
RANDOM = ", Random is as large a part, chosen by chance"
ARBITRARY = "The attribution is the same everywhere: this mask is arbitrary."


@cache
def part(name: str) -> str:
    """Return the text of a file of the page.

    >>> part("page.css")[:5]
    ':root'
    """
    return (PARTS / name).read_text(encoding="utf-8")


def clip_section(
    results: Sequence[ExplainedClip],
    notes: str = "",
    lossless: bool = True,
    figure: Figure | None = None,
    data: dict[str, Any] | None = None,
) -> str:
    """Return the section of one clip, explained by one or several methods or masks.

    Args:
        results: of one clip and one question; the first is what the page shows at first.
        notes: HTML that is folded away below.
        lossless: whether the clip is FLAC, up to 1.5 million samples, or MP3.
        figure: a figure of the first result that is drawn already.
        data: of :func:`~audiointerp.display.clip_data.clip_data` for these results, if it is there
            already.

    Raises:
        ArgumentError: the results are not of one clip and question.

    >>> import torch, audiointerp as ai
    >>> network = ai.Cnn6(2, base_channels=2)
    >>> classifier = ai.Classifier(network, ai.LogMel(), ["dog", "rain"], 1.0)
    >>> result = ai.interpret(classifier, 0.1 * torch.randn(1, 1, 32000), "saliency")
    >>> clip_section([result]).count("<audio")
    3
    """
    first = first_of(results)
    sound = page_sound(first, lossless)
    data = clip_data(results, sound) if data is None else data
    picture = _picture(first) if figure is None else figure_address(figure)
    original = sound_address(sound.wav, sound.sample_rate, sound.container, sound.bitrate)
    verdict = first.verdict
    details = "" if verdict is None else " ".join(verdict.details)
    warning = f'<p class="warning">{ARBITRARY}</p>' if first.arbitrary else ""
    note = f"<p>{html.escape(_about_sound(first, sound))}</p>"
    return Template(part("clip.html")).substitute(
        id=f"clip-{zlib.crc32(json.dumps(data).encode()):08x}",
        label=html.escape(first.clip or first.question),
        verdict=html.escape(str(verdict or f"Why {first.question}?")),
        details=html.escape(details),
        about=_about(first, data["likeliest"]),
        warning=warning,
        random=RANDOM if data["random"]["p"] else "",
        picture=picture,
        original=original,
        players=_players(first),
        notes=note + notes,
        data=script_json(data),
    )


def script_json(data: Any) -> str:
    r"""Return JSON that cannot end the script tag that it stands in.

    >>> script_json({"label": "</script>"})
    '{"label": "\\u003c/script>"}'
    """
    return json.dumps(data, allow_nan=False).replace("<", "\\u003c")


def styles_and_scripts() -> tuple[str, str]:
    """Return the style of a page with sections, for its head, and its scripts, for its end.

    >>> head, end = styles_and_scripts()
    >>> head[:7], end.count("<script")
    ('<style>', 2)
    """
    sound_scripts = "\n".join(part(name) for name in SOUND_SCRIPTS)
    scripts = "\n".join(part(name) for name in SCRIPTS)
    dsp = f'<script id="audiointerp-dsp">\n{sound_scripts}</script>'
    return f"<style>\n{part('page.css')}</style>", f"{dsp}\n<script>\n{scripts}</script>"


def document(title: str, sections: Sequence[str]) -> str:
    """Return a complete page of sections.

    >>> document("Why <dog>?", ["<p>text</p>"]).count("<h1>Why &lt;dog&gt;?</h1>")
    1
    """
    title = html.escape(title)
    head, end = styles_and_scripts()
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n{head}</head>\n"
        f"<body><main><h1>{title}</h1>\n{''.join(sections)}</main>\n{end}</body></html>\n"
    )


def framed(page: str) -> str:
    """Return a page as a frame, which keeps its style apart from that of a notebook.

    >>> framed('<p title="x">a & b</p>').count('srcdoc="<p title=&quot;x&quot;>a &amp; b</p>"')
    1
    """
    source = page.replace("&", "&amp;").replace('"', "&quot;")
    style = "width:100%;height:60rem;border:0"
    return (
        f'<iframe class="audiointerp-frame" title="explanation" style="{style}" '
        f'srcdoc="{source}"></iframe>'
    )


def _picture(result: ExplainedClip) -> str:
    figure = interpretation_figure(result)
    address = figure_address(figure)
    plt.close(figure)
    return address


def _about(result: ExplainedClip, likeliest: Sequence[tuple[str, float]]) -> str:
    classes = ", ".join(f"{label.replace('_', ' ')} {p_text(p)}" for label, p in likeliest)
    method = result.attribution.method
    layer = str(layer_cell(result.attribution))
    title = METHOD_TITLES.get(method, method)
    about = f"{title}, mask {result.mask_name}{layer and f', {layer}'}"
    text = f"{html.escape(about)}. Likeliest classes: {html.escape(classes)}. {TERMS}"
    return f"Why <b>{html.escape(result.question.replace('_', ' '))}</b>? {text}"


def _about_sound(result: ExplainedClip, sound: PageSound) -> str:
    channels = "one channel" if sound.wav.shape[1] == 1 else f"{sound.wav.shape[1]} channels"
    note = OWN_SOUND if sound.is_own else AS_CLASSIFIED
    text = note.format(channels=channels, rate=sound.sample_rate, heard=result.sample_rate)
    return f"{text} {AS_MP3}" if sound.container == "MP3" else text


def _players(result: ExplainedClip) -> str:
    """Players of the parts for a browser without scripts."""
    paragraphs = []
    sounds, peak = result.sounds, shared_peak([result])
    channels, length = sounds.original.shape[1:]
    bitrate = fitting_bitrate(LARGEST_PLAYER, length / sounds.sample_rate)
    bitrate = min(48.0 * min(channels, MOST_CHANNELS), bitrate)
    for name, wav, p in (("Kept", sounds.kept, "p_in"), ("Removed", sounds.removed, "p_out")):
        sound = player(wav / peak, sounds.sample_rate, "MP3", bitrate=bitrate)
        labelled = sound.replace("<audio ", f'<audio aria-label="{name}" ', 1)
        paragraphs.append(f"<p>{labelled} {name}, p {p_text(result.heard[p])}</p>")
    return "".join(paragraphs)
