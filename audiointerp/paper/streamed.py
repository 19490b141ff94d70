"""Conditions of results that do not fit into memory: one part of the rows is read at a time.

Of each condition, sums by recording and cell are kept, so that the memory does not depend on the
number of rows. Statistics are those of rows in memory, but for the order in which numbers are
added, and for more recordings than are drawn one by one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pandas as pd

from ..errors import AudioInterpError
from ..interpretation import NULLS, RANDOM_MASKS
from ..metrics import RELATIVE
from ..tables import CellSums, Part, SummedCells, scored_parts, with_shares
from .conditions import SHARES, SUBSETS, Condition, find_conditions, is_marked
from .published import PUBLISHED_SCORES
from .shard_pairs import have_same_shards, paired_rows
from .statistics import in_order

HOW = ["protocol", "fill", "on"]
CELL_OF_CLIP = ["clip", "recording", "method", "mask"]
NUMBERS = (*PUBLISHED_SCORES, "AREA", *SHARES.values())
Key = tuple[str, ...]


@dataclass(eq=False)
class ExperimentSums:
    """The sums of one transform and experiment, each computed when first asked for.

    Attributes:
        parts: of the experiment.
        nulls: the nulls that its results have.

    Example: :func:`streamed_conditions` makes them.
    """

    parts: Sequence[Part]
    nulls: Sequence[str]
    _scores: dict[Key, SummedCells] = field(default_factory=dict)
    _nulls: dict[Key, SummedCells] = field(default_factory=dict)
    _changes: dict[Key, SummedCells] = field(default_factory=dict)
    _differences: dict[tuple[int, Key], SummedCells] = field(default_factory=dict)
    _same_shards: dict[int, bool] = field(default_factory=dict)

    def scores(self, key: Key) -> SummedCells:
        """Return the sums of the scores of a protocol, a fill, an ``on`` and a subset."""
        if not self._scores:
            for rows in scored_parts(self.parts, ("SPS", "COMP", *_read(NUMBERS), "correct")):
                _refuse_repeated(rows)
                for how, group in _groups(with_shares(rows), HOW):
                    for subset, (correct, _) in SUBSETS.items():
                        part = group if correct is None else group[is_marked(group, correct)]
                        _add(self._scores, (*how, subset), NUMBERS, part)
        return _kept(self._scores, key, NUMBERS)

    def beside_nulls(self, key: Key) -> SummedCells:
        """Return the sums of the nulls of a protocol, a fill and an ``on``, and less these."""
        columns = [f"{name}_{null}" for name in RELATIVE for null in self.nulls]
        kept = [f"{name}_{null}" for name in RELATIVE for null in RANDOM_MASKS]
        kept = [name for name in kept if name in columns]
        names = [*kept, *(_less(name, null) for name in RELATIVE for null in self.nulls)]
        if not self._nulls:
            for rows in scored_parts(self.parts, (*RELATIVE, *columns)):
                less = {
                    _less(name, null): rows[name] - rows[f"{name}_{null}"]
                    for name in RELATIVE
                    for null in self.nulls
                }
                for how, group in _groups(rows.assign(**less), HOW):
                    _add(self._nulls, how, names, group)
        return _kept(self._nulls, key, names)

    def changes(self, key: Key) -> SummedCells:
        """Return the sums of scores on audio less those on features, of a protocol and a fill."""
        if not self._changes:
            for rows in scored_parts(self.parts, RELATIVE):
                for how, group in _groups(rows, HOW[:2]):
                    on_audio = group[group["on"] == "audio"]
                    on_features = group[group["on"] == "features"]
                    less = _minus(on_audio, on_features, RELATIVE)
                    _add(self._changes, how, RELATIVE, less)
        return _kept(self._changes, key, RELATIVE)

    def has_shards_of(self, clean: "ExperimentSums") -> bool:
        """Tell whether scores less those of another experiment can be summed."""
        if id(clean) not in self._same_shards:
            self._same_shards[id(clean)] = have_same_shards(self.parts, clean.parts)
        return self._same_shards[id(clean)]

    def less(self, clean: "ExperimentSums", key: Key) -> SummedCells:
        """Return the sums of the scores less those of another experiment, clip by clip."""
        place = id(clean), key
        if place not in self._differences:
            summed: dict[Key, SummedCells] = {}
            for rows, others in paired_rows(self.parts, clean.parts, PUBLISHED_SCORES):
                kept, other = (_of(each, key) for each in (rows, others))
                _add(summed, key, PUBLISHED_SCORES, _minus(kept, other, PUBLISHED_SCORES))
            self._differences[place] = _kept(summed, key, PUBLISHED_SCORES)
        return self._differences[place]


@dataclass(frozen=True, eq=False)
class StreamedCondition(Condition):
    """A condition whose rows are on a disk; ``rows`` has one of each kind.

    Attributes:
        experiment_sums: of its transform and experiment.

    Example: see :func:`streamed_conditions`.
    """

    experiment_sums: ExperimentSums = field(default_factory=lambda: ExperimentSums([], []))

    @property
    def _key(self) -> Key:
        return self.protocol, self.fill, self.on

    @property
    def _summed(self) -> SummedCells:
        return self.experiment_sums.scores((*self._key, self.subset))

    @property
    def cells(self) -> list[tuple[str, str]]:
        """The cells, (method, mask), in their order."""
        return in_order(self._summed.clips)

    @property
    def clips_by_method(self) -> dict[str, int]:
        """The number of scored clips of each method: the most of a cell."""
        most: dict[str, int] = {}
        for (method, _), clips in self._summed.clips.items():
            most[method] = max(clips, most.get(method, 0))
        return most

    def values(self, name: str) -> pd.DataFrame:
        """Refuse: the values of clips are not kept.

        Raises:
            AudioInterpError: always.
        """
        raise AudioInterpError(f"{name}: these results are too many for the values of each clip")

    def sums(self, name: str) -> CellSums:
        """Return the sums by recording of a column."""
        if name in NUMBERS:
            return self._summed.of(name, self.cells)
        return self.experiment_sums.beside_nulls(self._key).of(name, self.cells)

    def sums_less_null(self, name: str, null: str) -> CellSums:
        """Return the sums by recording of a score less that of a null, clip by clip."""
        summed = self.experiment_sums.beside_nulls(self._key)
        return summed.of(_less(name, null), self.cells)

    def can_be_less(self, other: Condition) -> bool:
        """Tell whether the shards of both are of the same clips."""
        if not isinstance(other, StreamedCondition):
            return False
        same = other.experiment_sums is self.experiment_sums
        return same or self.experiment_sums.has_shards_of(other.experiment_sums)

    def sums_less(self, other: Condition, name: str) -> CellSums:
        """Return the sums of a score less the other condition's, of the clips that both have.

        Raises:
            AudioInterpError: the other one is not streamed, or its shards are of other clips.
        """
        if not isinstance(other, StreamedCondition) or not self.can_be_less(other):
            raise AudioInterpError(
                f"{self.title}: not of the same shards as {other.title}, so that so many rows "
                "cannot be compared clip by clip"
            )
        if other.experiment_sums is self.experiment_sums:
            summed = self.experiment_sums.changes(self._key[:2])
        else:
            summed = self.experiment_sums.less(other.experiment_sums, self._key)
        return summed.of(name, [cell for cell in other.cells if cell in self.cells])

    def _summary(self) -> pd.DataFrame:
        names = ("AREA", *SHARES.values())
        means = {name: self.sums(name).means() for name in names}
        index = pd.MultiIndex.from_tuples(self.cells, names=["method", "mask"])
        clips = [self._summed.clips[cell] for cell in self.cells]
        return pd.DataFrame(means | {"clips": clips}, index)


def streamed_conditions(rows: pd.DataFrame, parts: Sequence[Part]) -> list[Condition]:
    """Return the conditions of results that are on a disk.

    Args:
        rows: of :func:`~audiointerp.tables.condensed.condensed_rows`.
        parts: what these rows are of.

    Raises:
        AudioInterpError: no clip was scored.

    Example: ``audiointerp tables results --kinds summary`` calls it for large results.
    """
    sums: dict[tuple[str, str], ExperimentSums] = {}
    conditions: list[Condition] = []
    for each in find_conditions(rows):
        place = each.transform, each.experiment
        if place not in sums:
            of_place = [part for part in parts if part.place == place]
            here = rows[(rows["transform"] == place[0]) & (rows["experiment"] == place[1])]
            nulls = [null for null in NULLS if here[f"FF_{null}"].notna().any()]
            sums[place] = ExperimentSums(of_place, nulls)
        words = (*place, each.protocol, each.fill, each.on, each.subset)
        conditions.append(StreamedCondition(*words, each.rows, experiment_sums=sums[place]))
    return conditions


def _read(names: Sequence[str]) -> list[str]:
    """Return the columns that are read: not those that are computed, nor twice."""
    return [name for name in names if name not in (*SHARES.values(), "SPS", "COMP")]


def _less(name: str, null: str) -> str:
    return f"{name} less {null}"


def _groups(rows: pd.DataFrame, by: Sequence[str]) -> Iterator[tuple[Key, pd.DataFrame]]:
    for key, group in rows.groupby(list(by), sort=False):
        yield tuple(map(str, key)), group


def _add(sums: dict[Key, SummedCells], key: Key, names: Sequence[str], rows: pd.DataFrame) -> None:
    if len(rows):
        sums.setdefault(key, SummedCells(names)).add(rows)


def _kept(sums: dict[Key, SummedCells], key: Key, names: Sequence[str]) -> SummedCells:
    """Return the sums of a key: of no row, where it has none."""
    return sums.setdefault(key, SummedCells(names))


def _minus(rows: pd.DataFrame, others: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Subtract the scores of the same clips and cells, of those that both have."""
    first, second = (
        each.astype({"mask": str}).set_index(CELL_OF_CLIP)[list(names)] for each in (rows, others)
    )
    shared = first.index.intersection(second.index)
    return (first.loc[shared] - second.loc[shared]).reset_index()


def _of(rows: pd.DataFrame, key: Key) -> pd.DataFrame:
    return rows[(rows[HOW] == list(key)).all(axis=1)]


def _refuse_repeated(rows: pd.DataFrame) -> None:
    """Refuse two rows of one clip and cell.

    Raises:
        AudioInterpError: there are two.
    """
    repeated = rows[rows.duplicated([*CELL_OF_CLIP, *HOW])]
    if len(repeated):
        clip, method, mask = repeated.iloc[0][["clip", "method", "mask"]]
        raise AudioInterpError(
            f"clip {clip}: two rows of {method}, {mask} in one condition; run the experiment again"
        )
