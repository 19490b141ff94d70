"""One recording from its file to its events, and what is written of it."""

import hashlib
import io
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import AudioWarning
from ..model import Classifier
from ..processing import file_rate, missing_band_note
from ..util import encodable, make_folder, one_line, write_json, write_text
from .detection import Threshold, detect
from .event import Event
from .explained_event import ExplainedEvent
from .explaining import explain_events
from .formats import COLUMNS, table_text, write_events
from .scan_record import Pooled, Scan
from .scanning import scan

WITHOUT_COLUMNS = ("events.selections.txt", "events.labels.txt")
"""The files of the events of one recording that have no place for the column ``box``."""
EVENT_COLUMNS = (*COLUMNS, "box")
"""The columns of ``events.csv``, and the entries of an event in ``events.json``."""
BOX = {True: "found", False: "none", None: "not explained"}
"""The column ``box``, by whether the removal of a box loses the event; None if not explained."""
BOXES = "boxes.selections.txt"
"""The boxes that were found, whose times are finer."""
RESULT = "result.json"
"""The last file that is written of a recording: with it, the recording is finished."""


@dataclass(frozen=True)
class ScanSettings:
    """What is done with each recording; see ``scan``, ``detect`` and ``explain_events``.

    Attributes:
        explain: how many events of a recording are explained, those with the largest p.
        pooling: how p of the recording is made of its windows.

    >>> ScanSettings(hop=1.0).explain
    20
    """

    hop: float | None = None
    threshold: Threshold = 0.5
    hold: float = 0.6
    min_duration: float = 0.0
    merge: float = 0.0
    labels: tuple[str, ...] | None = None
    explain: int = 20
    method: str = "gradcam"
    fill: str = "background"
    pooling: str = "max"

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as plain values."""
        return asdict(self)

    def events_in(self, scanned: Scan) -> list[Event]:
        """Detect the events of a scan.

        Raises:
            ArgumentError: a setting is out of range, or a label is unknown.
        """
        return detect(
            scanned,
            self.threshold,
            hold=self.hold,
            min_duration=self.min_duration,
            merge=self.merge,
            labels=self.labels,
        )


@dataclass(frozen=True, eq=False)
class ScannedRecording:
    """A recording with its scan and its events.

    Attributes:
        name: of the file, as it was listed.
        scan: the windows.
        events: all events, in their order; those with a box have its band.
        explained: the events that are explained.
        pooled: p of the whole recording.
        notes: the warnings about its file, and what it lacks for its sample rate.

    Example: see :func:`scan_recording`.
    """

    name: str
    scan: Scan
    events: list[Event]
    explained: list[ExplainedEvent]
    pooled: Pooled
    notes: tuple[str, ...] = ()

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The events as rows of ``events.csv``; ``box`` is a value of :data:`BOX`."""
        loses = {(each.event.start, each.event.label): each.loses for each in self.explained}
        return [
            {**asdict(event), "box": BOX[loses.get((event.start, event.label))]}
            for event in self.events
        ]


WritePage = Callable[[Path, ScannedRecording], None]
"""A function that writes the page of a recording."""


def scan_recording(
    classifier: Classifier, path: Path, settings: ScanSettings, name: str | None = None
) -> ScannedRecording:
    """Scan a recording, detect its events, and explain the strongest of them.

    Args:
        classifier: the classifier.
        path: the file.
        settings: how.
        name: of the recording; by default that of the file.

    >>> import tempfile, torch
    >>> from audiointerp import Cnn6, LogMel, save_audio
    >>> classifier = Classifier(Cnn6(2, base_channels=4), LogMel(), ["cat", "dog"], duration=1.0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_audio(f"{folder}/a.wav", torch.randn(1, 1, 64000), 32000)
    ...     settings = ScanSettings(threshold={"dog": 1e-9}, explain=0)
    ...     scanned = scan_recording(classifier, Path(folder, "a.wav"), settings)
    >>> [(event.label, event.start, event.end) for event in scanned.events]
    [('dog', 0.0, 2.0)]
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = scan(classifier, path, hop=settings.hop, progress=False)
        events = settings.events_in(result)
        strongest = sorted(range(len(events)), key=lambda number: -(events[number].p or 0))
        chosen = sorted(strongest[: settings.explain])
        explained = explain_events(
            classifier,
            path,
            [events[number] for number in chosen],
            settings.method,
            fill=settings.fill,
            progress=False,
        )
    for number, record in zip(chosen, explained, strict=True):
        # An event has the times of its detection, whether it was explained or not.
        if record.loses:
            events[number] = replace(events[number], low=record.box.low, high=record.box.high)
    notes = [warning for warning in caught if issubclass(warning.category, AudioWarning)]
    # Each file is read twice, and so are its faults.
    texts = dict.fromkeys(one_line(warning.message) for warning in notes)
    if missing_band := missing_band_note(file_rate(path), classifier.transform):
        texts[missing_band] = None
    name = name or encodable(path.name)
    pooled = result.pooled(settings.pooling)
    return ScannedRecording(name, result, events, explained, pooled, tuple(texts))


def write_recording(
    folder: Path, scanned: ScannedRecording, write_page: WritePage, fingerprint: dict[str, Any]
) -> None:
    """Write what is known of a recording; ``result.json`` comes last, and an old one goes first.

    Args:
        folder: is made if it is missing.
        scanned: the recording.
        write_page: writes its page.
        fingerprint: what the result depends on, see :func:`fingerprint_of_recording`.

    Raises:
        OSError: the folder cannot be written to.

    Example: see :func:`~audiointerp.events.folder.scan_files`.
    """
    make_folder(folder)
    # If this is interrupted, an old result would call a mixture of old and new files finished.
    (folder / RESULT).unlink(missing_ok=True)
    for name in WITHOUT_COLUMNS:
        write_events(folder / name, scanned.events)
    rows = scanned.rows
    write_text(folder / "events.csv", table_text(EVENT_COLUMNS, rows))
    write_json(folder / "events.json", {"events": rows})
    write_events(folder / BOXES, [record.box for record in scanned.explained if record.loses])
    windows = io.StringIO()
    scanned.scan.to_frame().to_csv(windows, lineterminator="\n")
    write_text(folder / "windows.csv", windows.getvalue())
    write_page(folder, scanned)
    result = {
        "recording": scanned.name,
        "fingerprint": fingerprint,
        "status": "ok",
        "error": "",
        "seconds": scanned.scan.duration,
        "windows": len(scanned.scan.starts),
        "silent_windows": int(scanned.scan.silent.sum()),
        "notes": list(scanned.notes),
        **asdict(scanned.pooled),
        "events": rows,
        "explained": [_described(record) for record in scanned.explained],
    }
    write_json(folder / RESULT, result)


def write_failure(folder: Path, name: str, error: Exception, fingerprint: dict[str, Any]) -> None:
    """Write why a recording failed.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_failure(Path(folder, "a.wav"), "a.wav", ValueError("no sound"), {})
    ...     Path(folder, "a.wav", RESULT).is_file()
    True
    """
    make_folder(folder)
    result = {
        "recording": name,
        "fingerprint": fingerprint,
        "status": "error",
        "error": f"{type(error).__name__}: {one_line(error)}",
    }
    write_json(folder / RESULT, result)


def fingerprint_of_recording(
    path: Path, settings: ScanSettings, model: dict[str, Any]
) -> dict[str, Any]:
    """Return what the events of a recording depend on, as plain values.

    Args:
        path: the file; its bytes are a part.
        settings: how it is scanned.
        model: what describes the classifier.

    Raises:
        OSError: the file cannot be read.

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     values = fingerprint_of_recording(Path(file.name), ScanSettings(), {"network": "a"})
    >>> values["file_sha256"][:4]
    'e3b0'
    """
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"file_sha256": digest, "settings": settings.to_dict(), "model": model}


def _described(record: ExplainedEvent) -> dict[str, Any]:
    values = ("window", "p", "p_in", "p_out", "least", "rank", "others", "fill", "loses", "verdict")
    described = {name: getattr(record, name) for name in values}
    box = asdict(record.box) if record.loses else None
    return {"event": asdict(record.event), "box": box, **described}
