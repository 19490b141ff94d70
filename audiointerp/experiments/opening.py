"""Opens the stores of a run: locks them, and checks that their earlier results can be kept."""

import shutil
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ..errors import ArgumentError
from ..util import locked, make_folder, plain, read_json, refuse_held, write_json
from .differences import differences
from .store import OTHER_FOLDER, Store


@contextmanager
def opened(stores: Sequence[Store], shard: tuple[int, int], resume: bool) -> Iterator[None]:
    """Lock the stores of a run for one writer per shard, and check what they hold.

    Args:
        stores: one per method.
        shard: (i, n), the i-th of n parts of the clips, from (1, 1).
        resume: whether to keep earlier results; otherwise they are deleted.

    Raises:
        AudioInterpError: another process writes there.
        ArgumentError: the stores hold results of other settings, or ``resume`` is False for a
            shard.

    >>> with opened([], shard=(1, 2), resume=False):
    ...     pass
    Traceback (most recent call last):
    audiointerp.errors.ArgumentError: resume=False (--no-resume) with a shard would delete the \
results of the other shards: empty the folder first
    """
    check_resume(resume, shard)
    with ExitStack() as locks:
        for store in stores:
            locks.enter_context(locked(store.folder / f".lock-{shard[0]}-of-{shard[1]}"))
            _refuse_other_division(store.folder, shard[1])
            if resume:
                refuse_results_beside(store.folder, "shards/*.parquet", "run_shards")
        changes: list[str] = []
        for store in stores:
            if not resume:
                clear_results(store.folder)
            changes += _begin(store)
        if changes:
            warnings.warn(
                f"the earlier results were computed in another environment "
                f"({'; '.join(dict.fromkeys(changes))}); they are kept",
                stacklevel=2,
            )
        yield


def check_resume(resume: bool, shard: tuple[int, int]) -> None:
    """Refuse to begin anew with one of several parts.

    Args: see :func:`opened`.

    Raises:
        ArgumentError: earlier results are to be deleted, and the shard is not all.

    >>> check_resume(False, (1, 1))
    """
    if not resume and shard != (1, 1):
        raise ArgumentError(
            "resume=False (--no-resume) with a shard would delete the results of the other "
            "shards: empty the folder first"
        )


def refuse_results_beside(folder: Path, pattern: str, function: str) -> None:
    """Refuse a method's folder that has results of the other kind, of run or of run_shards.

    Args:
        folder: of the method.
        pattern: of the files of the other kind.
        function: what writes these.

    Raises:
        ArgumentError: there is one.

    >>> refuse_results_beside(Path("no such folder"), "shards/*.parquet", "run_shards")
    """
    file = next(folder.glob(pattern), None)
    if file is not None:
        raise ArgumentError(
            f"{folder} holds results of {function} ({file.relative_to(folder)}), which cannot be "
            f"read beside those of this run; {OTHER_FOLDER}"
        )


def clips_of_shard(shard: tuple[int, int], clips: int) -> range:
    """Return the numbers of the clips of one shard.

    They follow one another, since a null needs the explanation of the next clip, too. The first
    shards may have one clip more than the last; of more shards than clips, the last are empty.

    Args:
        shard: (i, n), the i-th of n parts, from (1, 1).
        clips: the number of clips of all shards.

    >>> clips_of_shard((1, 2), 5), clips_of_shard((2, 2), 5)
    (range(0, 3), range(3, 5))
    """
    number, parts = shard
    size, larger = divmod(clips, parts)
    start, stop = (size * count + min(count, larger) for count in (number - 1, number))
    return range(start, stop)


def _refuse_other_division(folder: Path, shards: int) -> None:
    """Shards of one division share no clip; shards of two divisions may."""
    for path in folder.glob(".lock-*-of-*"):
        if not path.name.endswith(f"-of-{shards}"):
            refuse_held(path)


def clear_results(folder: Path) -> None:
    """Delete the results of a method, of run and of run_shards.

    >>> clear_results(Path("no such folder"))
    """
    # The tables go first: a table must never stand beside the records of another run.
    for name in ("metrics.csv", "run.json"):
        (folder / name).unlink(missing_ok=True)
    for name in ("attributions", "clips", "shards"):
        if (folder / name).exists():
            shutil.rmtree(folder / name)


def _begin(store: Store) -> list[str]:
    """Write the fingerprint, or compare it with the earlier one; how the environments differ."""
    make_folder(store.folder / "clips")
    path = store.folder / "clips" / "fingerprint.json"
    with store.lock():
        records = [read_json(path), read_json(store.folder / "run.json")]
        earlier = [record for record in records if isinstance(record, dict)]
        other = differences(earlier[0], plain(store.fingerprint)) if earlier else []
        if other:
            raise ArgumentError(
                f"{store.folder} holds results of other settings ({'; '.join(other)}); "
                f"{OTHER_FOLDER}"
            )
        if not isinstance(records[0], dict):
            write_json(path, {**store.fingerprint, "environment": store.environment})
    environment = earlier[0].get("environment") if earlier else None
    if not isinstance(environment, dict):
        return []
    # Records of older versions name fewer packages.
    known = {name: value for name, value in store.environment.items() if name in environment}
    return differences(environment, known)
