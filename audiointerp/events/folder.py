"""The events of many recordings: resumable, in shards and in worker processes.

Each recording has a folder of its own, whose last file says that it is finished. So a process that
was killed loses the recordings that it was at, and no more.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ArgumentError, AudioInterpError
from ..model import Classifier
from ..util import (
    Cluster,
    Progress,
    locked,
    make_folder,
    plain,
    read_json,
    show_progress,
    write_text,
)
from .formats import table_text
from .one_recording import (
    EVENT_COLUMNS,
    RESULT,
    ScanSettings,
    WritePage,
    fingerprint_of_recording,
    scan_recording,
    write_failure,
    write_recording,
)
from .shards import shard_of
from .workers import OpenClassifier, scan_all

RECORDING_COLUMNS = ("recording", "status", "seconds", "windows", "events", "notes", "error")
CHANGES = {
    "file_sha256": "of another file",
    "settings": "with other settings",
    "model": "with another classifier",
}
"""What a difference in an entry of the fingerprint means."""
SURROUNDINGS = ("versions", "device")
"""Entries of a model's description that do not make it another one."""
WriteIndex = Callable[[Path, list[dict[str, Any]], list[dict[str, Any]]], None]
"""A function that writes the page of a folder, of the rows of its two tables."""


@dataclass(frozen=True)
class FolderScan:
    """What is done with many recordings, and where the results are.

    Attributes:
        out: the folder of the results.
        settings: what is done with each recording.
        model: what describes the classifier; results of another one, or of other settings, are not
            mixed with these.
        write_page: writes the page of a recording; it must be importable.
        write_index: writes the page of all recordings, into ``out``.

    Example: see :func:`scan_files`.
    """

    out: Path
    settings: ScanSettings
    model: dict[str, Any]
    write_page: WritePage
    write_index: WriteIndex

    def needs(self, name: str, path: Path, resume: bool) -> bool:
        """Whether a recording must be scanned: it is not finished, or it failed.

        Raises:
            AudioInterpError: its result is of another sound, classifier or other settings.
        """
        result = read_json(self.out / name / RESULT)
        if not resume or not isinstance(result, dict) or result.get("status") != "ok":
            return True
        known = result.get("fingerprint")
        now = plain(fingerprint_of_recording(path, self.settings, self.model))
        if known == now:
            return False
        changed = [key for key in now if not isinstance(known, dict) or known.get(key) != now[key]]
        raise AudioInterpError(
            f"{self.out / name}: its result was made {CHANGES[changed[0]]}; give another folder, "
            "or --no-resume"
        )

    def refuse_other_results(self, scanned_anew: Collection[str]) -> None:
        """Refuse a folder with finished results of another classifier or other settings.

        They would be in one table with those of this call. What failed has no events. Other
        versions, or another device, are no other classifier here, since the recordings are others.

        Args:
            scanned_anew: the names of recordings whose results are replaced.

        Raises:
            ArgumentError: there is such a result of a recording that is not scanned anew.
        """
        model = {name: value for name, value in self.model.items() if name not in SURROUNDINGS}
        now = plain({"settings": self.settings.to_dict(), "model": model})
        for result in _results_in(self.out):
            name, known = result["recording"], result.get("fingerprint")
            if result["status"] != "ok" or name in scanned_anew:
                continue
            for key, values in now.items():
                before = known.get(key) if isinstance(known, dict) else None
                if isinstance(before, dict):
                    before = {name: before.get(name) for name in values}
                changed = _difference(before, values)
                if changed is not None:
                    raise ArgumentError(
                        f"{self.out / name}: its result, which would be in one table with these, "
                        f"was made {CHANGES[key]} ({changed}); give another --out, or delete "
                        "that folder"
                    )

    def scan(self, classifier: Classifier, name: str, path: Path) -> None:
        """Scan a recording and write its results, or why it failed."""
        fingerprint: dict[str, Any] = {}
        try:
            fingerprint = fingerprint_of_recording(path, self.settings, self.model)
            scanned = scan_recording(classifier, path, self.settings, name)
            write_recording(self.out / name, scanned, self.write_page, fingerprint)
        # One recording must not end the scan of the others, whatever is wrong with it.
        except Exception as error:
            write_failure(self.out / name, name, error, fingerprint)


def scan_files(
    task: FolderScan,
    open_classifier: OpenClassifier,
    recordings: Sequence[tuple[str, Path]],
    *,
    shard: tuple[int, int] = (1, 1),
    workers: int | Cluster = 1,
    resume: bool = True,
    progress: Progress = None,
) -> list[dict[str, Any]]:
    """Scan recordings; what is finished is not done again.

    Args:
        task: what is done.
        open_classifier: makes the classifier, in each worker process.
        recordings: the names and the files, all of them whatever the shard is. A name is that of
            the folder of its results, below that of the task.
        shard: (i, n) for the i-th of n parts of the recordings.
        workers: the number of processes, with one thread each; 1 for this process; or a cluster,
            whose machines share the folders of the recordings and of the results.
        resume: whether to keep what is finished.
        progress: False for no bar; or a function of (recordings done, recordings).

    Returns:
        One row for each finished recording in the folder of the results, of whichever shard or
        call, see :data:`RECORDING_COLUMNS`. The same rows are in ``recordings.csv``, all events in
        ``events.csv``.

    Raises:
        ArgumentError: the shard is none, two recordings have one name, there is a file where the
            results of one would be, or the folder has results of other recordings by another
            classifier or other settings.
        AudioInterpError: another process has recordings of this shard, or a result was made with
            other settings.

    >>> import tempfile
    >>> import torch
    >>> from audiointerp import Cnn6, LogMel, save_audio
    >>> def small():
    ...     return Classifier(Cnn6(2, base_channels=4), LogMel(), ["cat", "dog"], duration=1.0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "a.wav")
    ...     save_audio(path, torch.randn(1, 1, 64000), 32000)
    ...     def no_page(*values): pass
    ...     task = FolderScan(Path(folder, "out"), ScanSettings(explain=0), {}, no_page, no_page)
    ...     rows = scan_files(task, small, [("a.wav", path), ("b.wav", Path("b.wav"))])
    >>> [(row["recording"], row["status"]) for row in rows]
    [('a.wav', 'ok'), ('b.wav', 'error')]
    """
    number, count = shard
    if not 1 <= number <= count:
        raise ArgumentError(f"shard {number}/{count}: give e.g. 2/4 for the second of four parts")
    _check_names(task.out, recordings)
    make_folder(task.out)
    with shard_of(task.out, [name for name, _ in recordings], shard):
        shard_recordings = recordings[number - 1 :: count]
        missing = [entry for entry in shard_recordings if task.needs(*entry, resume)]
        # The other shards replace the results of theirs by the same call.
        task.refuse_other_results(set() if resume else {name for name, _ in recordings})
        with show_progress("scanning", len(shard_recordings), "recording", progress) as advance:
            advance(len(shard_recordings) - len(missing))
            for _ in scan_all(task, open_classifier, missing, workers):
                advance(1)
    return _write_tables(task)


def _check_names(out: Path, recordings: Sequence[tuple[str, Path]]) -> None:
    if len({name for name, _ in recordings}) < len(recordings):
        raise ArgumentError("two recordings have the same name; give one folder that holds both")
    for name, path in recordings:
        if (out / name).is_file():
            raise ArgumentError(
                f"{out / name}: is a file, where the results of {path} would be; give another "
                "folder for the results"
            )


def _write_tables(task: FolderScan) -> list[dict[str, Any]]:
    """Write the tables and the page of all finished recordings, and return the rows of these."""
    with locked(task.out / ".lock-tables", wait=True):
        results = _results_in(task.out)
        rows = [_row(result) for result in results]
        write_text(task.out / "recordings.csv", table_text(RECORDING_COLUMNS, rows))
        events = [
            {"recording": result["recording"], **event}
            for result in results
            for event in result.get("events", ())
        ]
        write_text(task.out / "events.csv", table_text(("recording", *EVENT_COLUMNS), events))
        task.write_index(task.out, rows, events)
    return rows


def _results_in(out: Path) -> list[dict[str, Any]]:
    """Return the results of all recordings in a folder, by their names."""
    results = {}
    for path in out.rglob(RESULT):
        result = read_json(path)
        name = result.get("recording") if isinstance(result, dict) else None
        # Other programs may have a file of this name.
        if isinstance(name, str) and "status" in result and out / name / RESULT == path:
            results[name] = result
    return [results[name] for name in sorted(results)]


def _difference(before: Any, now: dict[str, Any]) -> str | None:
    """Return the first value that differs, by its names; None if none does."""
    if not isinstance(before, dict):
        return "which are not known"
    for name in {**before, **now}:
        earlier, later = before.get(name), now.get(name)
        if earlier != later:
            if isinstance(earlier, dict) and isinstance(later, dict):
                return f"{name}.{_difference(earlier, later)}"
            return f"{name} {earlier!r:.60}, now {later!r:.60}"
    return None


def _row(result: dict[str, Any]) -> dict[str, Any]:
    counts = {name: result.get(name, "") for name in ("seconds", "windows", "error")}
    named = {"recording": result["recording"], "status": result["status"]}
    details = {"events": len(result.get("events", ())), "notes": "; ".join(result.get("notes", ()))}
    return named | counts | details
