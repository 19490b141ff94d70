"""The pages of events: of a recording, with pictures and players, and of all recordings."""

from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from ..events import ExplainedEvent, ScannedRecording

NAMES = {"window": "the window", "box": "the box alone", "rest": "the window without the box"}
NAMES_WITHOUT_BOX = {"window": "the window", "rest": "the background of the window alone"}
MOST_EVENTS = 1000
"""The events on the page of all recordings; a page of more would be slow to open."""


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


def write_index_page(
    out: Path, recordings: list[dict[str, Any]], events: list[dict[str, Any]]
) -> None:
    """Write ``index.html`` of a folder: its recordings, with links to their pages, and all events.

    Args:
        out: the folder.
        recordings, events: the rows of ``recordings.csv`` and ``events.csv``.

    >>> import tempfile
    >>> row = {"recording": "a.wav", "status": "ok", "seconds": 5.0, "events": 0, "notes": ""}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_index_page(Path(folder), [row], [])
    ...     'href="a.wav/index.html"' in Path(folder, "index.html").read_text("utf-8")
    True
    """
    from ..display import page
    from ..util import write_text

    lines = [
        (_link(row), f"{row['seconds']:.1f}", row["events"], escape(row["notes"]))
        if row["status"] == "ok"
        else (escape(row["recording"]), "", "", f"<b>{escape(row['error'])}</b>")
        for row in recordings
    ]
    parts = [_html_table(("recording", "seconds", "events", "notes"), lines)]
    strongest = sorted(events, key=lambda event: -(event["p"] or 0))[:MOST_EVENTS]
    if len(events) > MOST_EVENTS:
        parts.append(f"<p>The {MOST_EVENTS} of {len(events)} events with the largest p:</p>")
    heads = ("label", "recording", "from", "to", "band (Hz)", "p")
    parts.append(_html_table(heads, map(_event_cells, strongest)))
    write_text(out / "index.html", page("Events", parts))


def _link(row: dict[str, Any]) -> str:
    name = row["recording"]
    return f'<a href="{quote(name)}/index.html">{escape(name)}</a>'


def _event_cells(event: dict[str, Any]) -> tuple[object, ...]:
    times = (_clock(event["start"]), _clock(event["end"]))
    return (escape(event["label"]), _link(event), *times, _band(event), f"{event['p']:.3f}")


def _band(event: dict[str, Any]) -> str:
    # A result of an earlier version has no entry.
    if event.get("box", "found") == "found":
        return f"{event['low']:.0f} to {event['high']:.0f}"
    return "no box" if event["box"] == "none" else "not explained"


def _html_table(heads: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    head = "".join(f"<th>{name}" for name in heads)
    lines = map(_html_row, rows)
    return f'<div class="audiointerp"><table><tr>{head}{"".join(lines)}</table></div>'


def _html_row(cells: tuple[object, ...]) -> str:
    return "<tr>" + "".join(f"<td>{cell}" for cell in cells)


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
    explained = {(record.event.start, record.event.label) for record in scanned.explained}
    rows = []
    for number, event in enumerate(scanned.rows, 1):
        label = escape(event["label"])
        if (event["start"], event["label"]) in explained:
            label = f'<a href="#{_anchor(event["start"], event["label"])}">{label}</a>'
        times = (_clock(event["start"]), _clock(event["end"]))
        rows.append((number, label, *times, _band(event), f"{event['p']:.3f}"))
    return _html_table(("", "label", "from", "to", "band (Hz)", "p"), rows)


def _explanation(record: "ExplainedEvent") -> str:
    from ..display import player

    sounds = record.sounds
    peak = max(1.0, *(float(wav.abs().max()) for wav in sounds.values()))
    p_of = {"window": record.p, "box": record.p_in, "rest": record.p_out}
    names = NAMES if record.loses else NAMES_WITHOUT_BOX
    rows = "".join(
        f"<tr><th>{text}<td>{player(sounds[name] / peak, record.transform.sample_rate, 'MP3')}"
        f"<td>{p_of[name]:.3f}"
        for name, text in names.items()
    )
    event = record.event
    begin = record.box.start if record.loses else event.start
    return (
        f'<div class="audiointerp" id="{_anchor(event.start, event.label)}"><h2>Why '
        f"{escape(event.label)} at {_clock(begin)}?</h2><p>{escape(_sentence(record))}.</p>"
        f"{_picture(record)}<table><tr><th><th>one shared gain"
        f"<th>p of the sound{rows}</table><p><small>Explained is the window from "
        f"{_clock(record.window[0])} to {_clock(record.window[1])}, by "
        f"{escape(record.attribution.method)}; what is removed becomes {record.fill}.</small></p>"
        "</div>"
    )


def _sentence(record: "ExplainedEvent") -> str:
    if not record.loses:
        return record.verdict.capitalize()
    box = record.box
    return (
        f"The box: {_clock(box.start)} to {_clock(box.end)}, {box.low:.0f} to {box.high:.0f} Hz. "
        f"In words: {record.verdict}"
    )


def _picture(record: "ExplainedEvent") -> str:
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    from .. import display

    figure = Figure(figsize=(11, 3.2), layout="constrained")
    spectrogram, box = record.spectrogram, record.bins_and_frames
    title = "the window, with the box" if record.loses else "the window"
    axes = figure.subplots(1, 2, sharey=True)
    display.plot.spectrogram(spectrogram, axes[0], title=title)
    display.plot.attribution(record.attribution.values, spectrogram, axes[1], title="the map")
    seconds = spectrogram.transform.hop_length / spectrogram.transform.sample_rate
    for ax in axes if record.loses else ():
        corner = (box.first_frame * seconds, box.low_bin - 0.5)
        sides = (box.frames * seconds, box.bins)
        ax.add_patch(Rectangle(corner, *sides, fill=False, edgecolor="lime", linewidth=1.5))
    shown = "box and map" if record.loses else "window and map"
    return f'<img alt="{shown}" src="{display.figure_address(figure)}">'


def _anchor(start: float, label: str) -> str:
    return escape(f"{label}-{start:.3f}".replace(" ", "_"))


def _clock(seconds: float) -> str:
    """Return hours, minutes and seconds, e.g. 02:13.50."""
    # Rounded as it is printed: 59.996 s are 01:00.00.
    minutes, rest = divmod(round(seconds, 2), 60)
    hours, minutes = divmod(int(minutes), 60)
    return (f"{hours}:" if hours else "") + f"{minutes:02d}:{rest:05.2f}"
