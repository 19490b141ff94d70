"""The page of the events of a recording, with pictures and players."""

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..events import ExplainedEvent, ScannedRecording

NAMES = {"window": "the window", "box": "the box alone", "rest": "the window without the box"}


def write_events_page(folder: Path, scanned: "ScannedRecording") -> None:
    """Write ``index.html``, which needs no other file.

    Args:
        folder: of the recording.
        scanned: the recording.

    Example: ``audiointerp scan`` writes one for each recording.
    """
    from ..display import page
    from ..util import write_text

    parts = [_summary(scanned), _table(scanned)]
    parts += [_explanation(record) for record in scanned.explained]
    write_text(folder / "index.html", page(f"Events in {scanned.name}", parts))


def _summary(scanned: "ScannedRecording") -> str:
    scan = scanned.scan
    notes = "".join(f"<p><b>{escape(note)}</b></p>" for note in scanned.notes)
    strongest = max(scanned.pooled.p, key=lambda label: scanned.pooled.p[label])
    return (
        f'<div class="audiointerp">{notes}<p>{len(scanned.events)} events in '
        f"{scan.duration:.1f} s; {len(scanned.explained)} of them, those with the largest p, are "
        f"explained below. Of the whole recording, p is largest for {escape(strongest)}: "
        f"{scanned.pooled.p[strongest]:.3f} ({scanned.pooled.pooling} of "
        f"{scanned.pooled.windows} windows).</p>{scan._repr_html_()}</div>"
    )


def _table(scanned: "ScannedRecording") -> str:
    heads = "".join(f"<th>{name}" for name in ("", "label", "from", "to", "band (Hz)", "p"))
    explained = {(record.event.start, record.event.label) for record in scanned.explained}
    rows = []
    for number, event in enumerate(scanned.events, 1):
        label = escape(event.label)
        if (event.start, event.label) in explained:
            label = f'<a href="#{_anchor(event.start, event.label)}">{label}</a>'
        band = f"{event.low or 0:.0f} to {event.high or 0:.0f}"
        cells = (number, label, _clock(event.start), _clock(event.end), band, f"{event.p:.3f}")
        rows.append("<tr>" + "".join(f"<td>{cell}" for cell in cells))
    return f'<div class="audiointerp"><table><tr>{heads}{"".join(rows)}</table></div>'


def _explanation(record: "ExplainedEvent") -> str:
    from ..display import player

    sounds = record.sounds
    peak = max(1.0, *(float(wav.abs().max()) for wav in sounds.values()))
    p_of = {"window": record.p, "box": record.p_in, "rest": record.p_out}
    rows = "".join(
        f"<tr><th>{NAMES[name]}<td>{player(wav / peak, record.transform.sample_rate, 'MP3')}"
        f"<td>{p_of[name]:.3f}"
        for name, wav in sounds.items()
    )
    box = record.box
    return (
        f'<div class="audiointerp" id="{_anchor(record.event.start, box.label)}"><h2>Why '
        f"{escape(box.label)} at {_clock(box.start)}?</h2><p>The box: {_clock(box.start)} to "
        f"{_clock(box.end)}, {box.low or 0:.0f} to {box.high or 0:.0f} Hz. In words: "
        f"{escape(record.verdict)}.</p>{_picture(record)}<table><tr><th><th>one shared gain"
        f"<th>p of the sound{rows}</table><p><small>Explained is the window from "
        f"{_clock(record.window[0])} to {_clock(record.window[1])}, by "
        f"{escape(record.attribution.method)}; what is removed becomes {record.fill}.</small></p>"
        "</div>"
    )


def _picture(record: "ExplainedEvent") -> str:
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    from .. import display

    figure = Figure(figsize=(11, 3.2), layout="constrained")
    spectrogram, box = record.spectrogram, record.bins_and_frames
    axes = figure.subplots(1, 2, sharey=True)
    display.plot.spectrogram(spectrogram, axes[0], title="the window, with the box")
    display.plot.attribution(record.attribution.values, spectrogram, axes[1], title="the map")
    seconds = spectrogram.transform.hop_length / spectrogram.transform.sample_rate
    for ax in axes:
        corner = (box.first_frame * seconds, box.low_bin - 0.5)
        sides = (box.frames * seconds, box.bins)
        ax.add_patch(Rectangle(corner, *sides, fill=False, edgecolor="lime", linewidth=1.5))
    return f'<img alt="box and map" src="{display.figure_address(figure)}">'


def _anchor(start: float, label: str) -> str:
    return escape(f"{label}-{start:.3f}".replace(" ", "_"))


def _clock(seconds: float) -> str:
    """Return hours, minutes and seconds, e.g. 02:13.50."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    return (f"{hours}:" if hours else "") + f"{minutes:02d}:{rest:05.2f}"
