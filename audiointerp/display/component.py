"""The section of a page that shows one clip: to see, to hear and to touch.

Its parts are the files of ``page/``: a template, a style sheet, and scripts that need no library.
Without scripts, a picture and labelled players are there.
"""

import html
import json
import zlib
from collections.abc import Mapping, Sequence
from string import Template
from typing import Any

import numpy as np

from ..scoring import ExplainedClip, layer_cell, p_text
from .clip_data import clip_data, first_of
from .document import part, script_json
from .encoding import packed
from .method_titles import METHOD_TITLES
from .page_sound import LEAST_BITRATE, PageSound, fitting_bitrate, page_sound
from .pixels import pixels_address
from .players import MOST_CHANNELS, player, shared_peak, sound_address
from .still import still_picture

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
OTHER_RATE = "The page holds the file at {rate} Hz, since an MP3 cannot have {own} Hz."
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


def clip_section(
    results: Sequence[ExplainedClip],
    notes: str = "",
    lossless: bool = False,
    picture: str | None = None,
    data: dict[str, Any] | None = None,
    truth: str | None = None,
) -> str:
    """Return the section of one clip, explained by one or several methods or masks.

    Args:
        results: of one clip and one question; the first is what the page shows at first.
        notes: HTML that is folded away below.
        lossless: whether the clip is FLAC, up to 1.5 million samples, or MP3.
        picture: the address of a picture of the first result, if it is drawn already.
        data: of :func:`~audiointerp.display.clip_data.clip_data` for these results, if it is there
            already.
        truth: the label of the clip, if it is known.

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
    picture = pixels_address(still_picture(first)) if picture is None else picture
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
        about=_about(first, data["likeliest"], truth) + _explaining(results),
        warning=warning,
        random=RANDOM if data["random"]["p"] else "",
        picture=picture,
        original=original,
        players=_players(first, lossless),
        notes=note + notes,
        data=script_json(compact(data)),
    )


def compact(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the data of a clip with what is said of each share deflated: a tenth of the size.

    Args:
        data: of :func:`~audiointerp.display.clip_data.clip_data`; a script takes both forms.

    >>> method = {"name": "lime", "shares": [{"verdict": "Explained: ..."}] * 19}
    >>> type(compact({"methods": [method]})["methods"][0]["shares"])
    <class 'str'>
    """
    methods = []
    for method in data["methods"]:
        text = script_json(method["shares"]).encode()
        packed_shares = packed(np.frombuffer(text, np.uint8))
        methods.append({**method, "shares": packed_shares})
    return {**data, "methods": methods}


def _about(result: ExplainedClip, likeliest: Sequence[tuple[str, float]], truth: str | None) -> str:
    classes = ", ".join(f"{label.replace('_', ' ')} {p_text(p)}" for label, p in likeliest)
    method = result.attribution.method
    layer = str(layer_cell(result.attribution))
    title = METHOD_TITLES.get(method, method)
    about = html.escape(f"{title}, mask {result.mask_name}{layer and f', {layer}'}")
    text = f"<span data-about>{about}</span>. Likeliest classes: {html.escape(classes)}. {TERMS}"
    question = f"Why <b>{html.escape(result.question.replace('_', ' '))}</b>?"
    if truth is not None:
        label = html.escape(truth.replace("_", " "))
        is_right = "rightly" if truth == result.predicted else "wrongly"
        predicted = html.escape(result.predicted.replace("_", " "))
        question += f" The clip is labelled <b>{label}</b>, {is_right} predicted {predicted}."
    notes = " ".join(filter(None, (result.window_note(), result.rate_note())))
    return f"{question} {notes and f'<b>{html.escape(notes)}</b> '}{text}"


def _explaining(results: Sequence[ExplainedClip]) -> str:
    """Return which of several methods explain the clip by the first mask of each."""
    explains: dict[str, bool] = {}
    for result in results:
        method = result.attribution.method
        title = METHOD_TITLES.get(method, method)
        explains.setdefault(title, bool(result.verdict and result.verdict.is_explained))
    if len(explains) < 2:
        return ""
    names = ", ".join(title for title, is_explained in explains.items() if is_explained)
    # Under another mask of the page, others may.
    by = f"Of {len(explains)} methods, these explain the clip with {results[0].mask_name}"
    return html.escape(f" {by}: {names or 'none'}.")


def _about_sound(result: ExplainedClip, sound: PageSound) -> str:
    channels = "one channel" if sound.wav.shape[1] == 1 else f"{sound.wav.shape[1]} channels"
    note = OWN_SOUND if sound.is_own else AS_CLASSIFIED
    own_rate = result.sounds.sample_rate
    text = note.format(channels=channels, rate=own_rate, heard=result.sample_rate)
    if sound.sample_rate != own_rate:
        text += " " + OTHER_RATE.format(rate=sound.sample_rate, own=own_rate)
    return f"{text} {AS_MP3}" if sound.container == "MP3" else text


def _players(result: ExplainedClip, lossless: bool) -> str:
    """Players of the parts for a browser without scripts; smaller ones in a page of many clips."""
    paragraphs = []
    sounds, peak = result.sounds, shared_peak([result])
    channels, length = sounds.original.shape[1:]
    bitrate = fitting_bitrate(LARGEST_PLAYER, length / sounds.sample_rate)
    of_channel = 48.0 if lossless else LEAST_BITRATE
    bitrate = min(of_channel * min(channels, MOST_CHANNELS), bitrate)
    # The same p as in the verdict, not that of the part made at the file's rate.
    verdict = result.verdict
    p_kept = verdict.p_kept if verdict else result.heard["p_in"]
    p_removed = verdict.p_removed if verdict else result.heard["p_out"]
    for name, wav, p in (("Kept", sounds.kept, p_kept), ("Removed", sounds.removed, p_removed)):
        sound = player(wav / peak, sounds.sample_rate, "MP3", bitrate=bitrate)
        labelled = sound.replace("<audio ", f'<audio aria-label="{name}" ', 1)
        paragraphs.append(f"<p>{labelled} {name}, p {p_text(p)}</p>")
    return "".join(paragraphs)
