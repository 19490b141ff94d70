"""Pages that can be looked at and listened to: self-contained HTML, for notebooks and files."""

import base64
import html
import io
import math
import os
from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import soundfile
from matplotlib.figure import Figure
from torch import Tensor

from .explain import additivity_gap, surrogate_fit
from .files import make_folder, replacing, write_json, write_text
from .metrics import METRICS
from .plot import interpretation as interpretation_figure
from .predict import Interpretation
from .processing import save_audio

LOUDEST_GAIN = 60.0
ARBITRARY = "<p><b>The attribution is the same everywhere: this mask is arbitrary.</b></p>"
STYLE = """
body{font-family:system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem;color:#222}
.audiointerp table{border-collapse:collapse;margin:.5rem 0}
.audiointerp td,.audiointerp th{padding:.2rem .7rem;text-align:left;border-bottom:1px solid #ddd}
.audiointerp img{max-width:100%}.audiointerp audio{height:2.2rem;vertical-align:middle}
.listening audio{width:10.5rem}.listening td,.listening th{padding:.2rem .4rem;font-variant-numeric:tabular-nums}
"""


def interpretation_html(result: Interpretation) -> str:
    """A picture, players and scores of one interpretation, as a fragment of HTML that needs no other file."""
    figure = interpretation_figure(result)
    picture = figure_png(figure)
    plt.close(figure)
    return (
        f'<div class="audiointerp">{_question(result)}'
        f'<img alt="spectrogram, attribution, kept and removed part" src="data:image/png;base64,{picture}">'
        "<p><small>Levels in dB, the loudest 80 dB. In the attribution red spoke for the label, blue against it; the paler, "
        f"the weaker.</small></p>{ARBITRARY if result.arbitrary else ''}{_players(result)}{_scores(result)}</div>"
    )


def players_html(result: Interpretation) -> str:
    """The players of one interpretation without its picture and scores, as such a fragment."""
    return f'<div class="audiointerp">{_question(result)}{_players(result)}</div>'


def page(title: str, fragments: Sequence[str]) -> str:
    """A whole HTML document of such fragments."""
    return (
        f'<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{STYLE}</style><h1>{html.escape(title)}</h1>{''.join(fragments)}</html>\n"
    )


WRITTEN = ("original.wav", "kept.wav", "removed.wav", "picture.png", "scores.json", "index.html")
"""What :func:`write_interpretation` writes, over files of these names."""


def write_interpretation(result: Interpretation, out: str | os.PathLike[str], title: str) -> None:
    """Write one interpretation to a folder, which is made if it is missing.

    ``original.wav``, ``kept.wav`` and ``removed.wav`` (32-bit float, one scale), ``picture.png``, ``scores.json`` (an
    undefined score is null) and ``index.html``, which shows and plays it all.
    """
    scores = {
        "clip": title,
        "predicted": result.predicted,
        "explained": result.explained,
        "against": result.against,
        "method": result.attribution.method,
        "mask": result.mask_name,
        "protocol": result.protocol,
        "on": result.on,
        "scores": dict(result.scores),
        "additivity_gap": additivity_gap(result.attribution),
        "surrogate_r2": surrogate_fit(result.attribution),
    }
    document = page(title, [interpretation_html(result)])
    figure = interpretation_figure(result)
    folder = make_folder(out)
    for name, wav in (("original", result.wav), ("kept", result.kept), ("removed", result.removed)):
        save_audio(folder / f"{name}.wav", wav, result.sample_rate)
    with replacing(folder / "picture.png") as part:
        figure.savefig(part, dpi=120)
    plt.close(figure)
    write_json(folder / "scores.json", scores)
    write_text(folder / "index.html", document)


def figure_png(figure: Figure) -> str:
    """A figure as PNG, in base64."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=90, metadata={"Software": None})  # the same bytes under another release
    return base64.b64encode(buffer.getvalue()).decode()


def _question(result: Interpretation) -> str:
    method, mask = html.escape(result.attribution.method), html.escape(result.mask_name)
    return f"<p>Why <b>{html.escape(result.question)}</b>? {method}, mask {mask}.</p>"


def _players(result: Interpretation) -> str:
    """As they are, under one shared gain; and each part raised to the clip's level, the gain printed."""
    peak = shared_peak([result])
    rows = [f"<tr><th>original<td>{player(result.wav / peak, result.sample_rate)}<td>"]
    for name, wav in (("kept", result.kept), ("removed", result.removed)):
        rows.append(f"<tr><th>{name}<td>{player(wav / peak, result.sample_rate)}<td>{matched_player(wav, result)}")
    return f"<table><tr><th><th>one shared gain<th>at the original's level, as far as the peak allows{''.join(rows)}</table>"


def shared_peak(results: Sequence[Interpretation]) -> float:
    """The largest |sample| of the sounds of some interpretations, 1 at least: divided by it, none is clipped."""
    sounds = [wav for result in results for wav in (result.wav, result.kept, result.removed)]
    return max(1.0, *(float(wav.abs().max()) for wav in sounds))


def matched_player(wav: Tensor, result: Interpretation, container: str = "FLAC", least: float = 0.0) -> str:
    """A player of a part brought to the clip's level, and the gain in dB; no player where that is below ``least``."""
    gain = _matching_gain(wav, _rms(result.wav))
    if gain is None:
        return "silent"
    decibels = _decibels(gain)
    heard = player(wav * gain, result.sample_rate, container) if abs(decibels) >= least else "as it is:"
    return f"{heard} {decibels:+.1f} dB"


def _matching_gain(wav: Tensor, level: float) -> float | None:
    """What brings a part to ``level``, no further than its peak allows, and by at most 60 dB; None where either is silent."""
    rms, peak = _rms(wav), float(wav.abs().max())
    if rms == 0 or level == 0:
        return None
    return min(level / rms, 1 / peak, 10 ** (LOUDEST_GAIN / 20))


def _rms(wav: Tensor) -> float:
    return float(wav.double().square().mean().sqrt())


def _decibels(gain: float) -> float:
    return 20 * math.log10(gain)


ENCODINGS: dict[str, dict[str, Any]] = {
    "FLAC": {"subtype": "PCM_16"},
    "MP3": {"bitrate_mode": "VARIABLE", "compression_level": 0.4},
}
"""How soundfile writes the sounds of players: FLAC loses nothing, MP3 is a fifth as large."""


def player(wav: Tensor, sample_rate: int, container: str = "FLAC") -> str:
    """A player that holds its sound ``(1, 1, L)``; ``container`` is a name in :data:`ENCODINGS`."""
    buffer = io.BytesIO()
    samples = wav[0, 0].cpu().float().numpy()
    soundfile.write(buffer, samples, sample_rate, format=container, **ENCODINGS[container])
    data = base64.b64encode(buffer.getvalue()).decode()
    kind = {"FLAC": "flac", "MP3": "mpeg"}[container]
    return f'<audio controls preload="metadata" src="data:audio/{kind};base64,{data}"></audio>'


def _scores(result: Interpretation) -> str:
    def cell(name: str) -> str:
        value = result.scores[name]
        return f"<td>{'undefined' if value != value else f'{value:.3f}'}"

    heads = "".join(f'<th title="{METRICS[name].title}">{name}' for name in METRICS)
    gap = additivity_gap(result.attribution)
    note = f"<p>SHAP's additivity gap: {gap:.1e}</p>" if gap == gap else ""
    fit = surrogate_fit(result.attribution)
    note += f"<p>LIME's linear model fits with R² = {fit:.2f}</p>" if fit == fit else ""
    return f"<table><tr>{heads}<tr>{''.join(cell(name) for name in METRICS)}</table>{note}"
