"""A condition: results that may be averaged together, and what they have in common.

Averages never mix transforms, experiments, protocols, fills, what was scored (``on``) or subsets of
clips.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ..errors import AudioInterpError
from ..experiments import EXPERIMENTS, NOISE_TRAINED
from ..tables import CellSums, has_null, summarise, sums_of_values
from .names import is_clean, is_noise_trained, label, slug
from .published import PUBLISHED_SCORES
from .statistics import averaged, cells_of, clip_values, place, with_intervals

SUBSETS: dict[str, tuple[bool | None, str]] = {
    "all": (None, "all clips"),
    "correct": (True, "correctly classified clips"),
    "incorrect": (False, "wrongly classified clips"),
}
"""By name of a subset of the clips: its value of the column ``correct``, and its title."""
SHARES = {"undefined %": "undefined", "constant %": "constant"}
"""By column head of a share of masks: its column in the summary."""
SPLIT = ("transform", "experiment", "protocol", "fill", "on")


@dataclass(frozen=True, eq=False)
class Condition:
    """Results of one transform, experiment, protocol, fill, ``on`` and subset of the clips.

    Statistics are computed when first asked for, then kept: several tables need the same.

    Attributes:
        transform, experiment, protocol, fill, on: as in the columns of the results.
        subset: a name in :data:`SUBSETS`.
        rows: the results; none of a clip that failed.

    >>> from .example import example_rows
    >>> condition = Condition(
    ...     "mel", "mel_clean", "corrected", "background", "audio", "all", example_rows()
    ... )
    >>> condition.title
    'mel_clean, all clips, on audio, over the background'
    >>> list(condition.scores)[:3]
    ['FF', 'AI', 'AD']
    """

    transform: str
    experiment: str
    protocol: str
    fill: str
    on: str
    subset: str
    rows: pd.DataFrame
    _kept: dict[Hashable, dict[str, pd.DataFrame]] = field(
        init=False, default_factory=dict, repr=False
    )

    @property
    def title(self) -> str:
        """The condition in words, for the title of a table."""
        return f"{self.label}, {SUBSETS[self.subset][1]}, {self.how}"

    @property
    def label(self) -> str:
        """The experiment's name with its transform in front."""
        return label(self.transform, self.experiment)

    @property
    def how(self) -> str:
        """What was scored; the fill unless it is silence, the protocol unless it is corrected."""
        protocol = "" if self.protocol == "corrected" else f", protocol {self.protocol}"
        return f"on {self.on}{self.over}{protocol}"

    @property
    def over(self) -> str:
        """What removed bins became, in words; nothing for silence, as published."""
        if self.fill == "silence":
            return ""
        return ", over the background" if self.fill == "background" else f", fill {self.fill}"

    @property
    def network(self) -> str:
        """The SHA-256 of the network that was run; "" where results do not hold it."""
        return str(self.rows["network"].iloc[0]) if "network" in self.rows else ""

    def name(self, *words: str) -> str:
        """Return a name for a table's files: words, and how the condition was scored."""
        protocol = [] if self.protocol == "corrected" else [f"protocol_{self.protocol}"]
        fill = [] if self.fill == "silence" else [f"fill_{self.fill}"]
        return slug("_".join([*words, f"on_{self.on}", *fill, *protocol]))

    @property
    def cells(self) -> list[tuple[str, str]]:
        """The cells, (method, mask), in their order."""
        return cells_of(self.values("FF"))

    @property
    def clips_by_method(self) -> dict[str, int]:
        """The number of scored clips of each method."""
        counts = self.rows.groupby("method")["clip"].nunique()
        return {str(method): int(count) for method, count in counts.items()}

    def has_null(self, null: str) -> bool:
        """Return whether the results hold the scores of a null."""
        return has_null(self.rows, null)

    def values(self, name: str) -> pd.DataFrame:
        """Return the values (clips × cells) of a column.

        See :func:`~audiointerp.paper.statistics.clip_values`.
        """
        return self._once(("values", name), lambda: {name: clip_values(self.rows, name)})[name]

    def sums(self, name: str) -> CellSums:
        """Return the sums by recording of a column."""
        return sums_of_values(self.values(name))

    def sums_less_null(self, name: str, null: str) -> CellSums:
        """Return the sums by recording of a score less that of a null, clip by clip."""
        return sums_of_values(self.values(name) - self.values(f"{name}_{null}"))

    def can_be_less(self, other: "Condition") -> bool:
        """Tell whether the other condition's scores can be subtracted clip by clip."""
        return True

    def sums_less(self, other: "Condition", name: str) -> CellSums:
        """Return the sums of a score less the other condition's, of the clips that both have."""
        values, others = self.values(name), other.values(name)
        clips = others.index.intersection(values.index)
        cells = [cell for cell in others.columns if cell in values.columns]
        return sums_of_values(values.loc[clips, cells] - others.loc[clips, cells])

    @property
    def scores(self) -> dict[str, pd.DataFrame]:
        """The statistics of each score, then of the area and of the shares of masks, by head.

        The index of each is (method, mask); the columns are mean, low, high, or mean alone.
        """
        return self._once("scores", self._compute_scores)

    def averages(self, level: str, cells: Sequence[tuple[str, str]]) -> dict[str, pd.DataFrame]:
        """Return the averages of some cells over one level, by score.

        See :func:`~audiointerp.paper.statistics.averaged`.
        """
        return self._once(
            ("averages", level, tuple(cells)),
            lambda: {
                name: averaged(self.sums(name).select(cells), level) for name in PUBLISHED_SCORES
            },
        )

    def differences(self, other: "Condition") -> dict[str, pd.DataFrame]:
        """Return the mean of each score less the other condition's, clip by clip, by score.

        Only clips and cells that both have are compared.
        """
        return self._once(
            ("differences", other),
            lambda: {
                name: with_intervals(self.sums_less(other, name)) for name in PUBLISHED_SCORES
            },
        )

    def _compute_scores(self) -> dict[str, pd.DataFrame]:
        scores = {name: with_intervals(self.sums(name)) for name in PUBLISHED_SCORES}
        summary = self._summary().reindex(scores["FF"].index)
        for head in ("AREA", *SHARES, "clips"):
            means = summary[[SHARES.get(head, head)]].set_axis(["mean"], axis=1)
            scores[head] = 100 * means if head in SHARES else means
        return scores

    def _summary(self) -> pd.DataFrame:
        """Return the means of the area and of the shares by cell, and the number of clips."""
        return summarise(self.rows)

    def _once(
        self, key: Hashable, compute: Callable[[], dict[str, pd.DataFrame]]
    ) -> dict[str, pd.DataFrame]:
        if key not in self._kept:
            self._kept[key] = compute()
        return self._kept[key]


def find_conditions(rows: pd.DataFrame) -> list[Condition]:
    """Return every condition that has a scored clip, in the order of the study's experiments.

    Raises:
        AudioInterpError: no clip was scored.

    >>> from .example import example_rows
    >>> [condition.title for condition in find_conditions(example_rows())]
    ['mel_clean, all clips, on features', 'mel_clean, correctly classified clips, on features']
    """
    scored = rows[rows["status"] == "ok"]
    if scored.empty:
        raise AudioInterpError("no clip was scored, so there are no tables; see the errors")
    conditions = []
    for key, group in scored.groupby(list(SPLIT), sort=False):
        transform, experiment, protocol, fill, on = map(str, key)
        for subset, (correct, _) in SUBSETS.items():
            part = group if correct is None else group[is_marked(group, correct)]
            if len(part):
                conditions.append(
                    Condition(transform, experiment, protocol, fill, on, subset, part)
                )
    return sorted(conditions, key=_order)


def _order(condition: Condition) -> tuple[object, ...]:
    """Return a sort key: mel, the study's order, corrected first, the background on audio first."""
    return (
        condition.transform != "mel",
        place(condition.experiment, [*EXPERIMENTS, *NOISE_TRAINED]),
        condition.transform,
        condition.protocol != "corrected",
        condition.protocol,
        condition.fill != "background",
        condition.fill,
        (condition.on == "features") == (condition.fill == "background"),
    )


def is_marked(rows: pd.DataFrame, correct: bool) -> np.ndarray:
    """Tell which rows are marked as correct, or as wrong; none without the column ``correct``.

    >>> is_marked(pd.DataFrame({"correct": [True, False]}), True).tolist()
    [True, False]
    """
    if "correct" not in rows:
        return np.zeros(len(rows), bool)
    return rows["correct"].isin([correct]).to_numpy()


def against_noise(conditions: Sequence[Condition]) -> list[tuple[Condition, list[Condition]]]:
    """Pair each condition of all clean clips with its noisy ones.

    The noisy ones are of the same transform, protocol, fill, ``on`` and network.

    >>> from .example import example_rows
    >>> rows = example_rows(("mel_clean", "mel_horse", "mel_room"))
    >>> ((clean, noisy),) = against_noise(find_conditions(rows))
    >>> clean.label, [condition.label for condition in noisy]
    ('mel_clean', ['mel_horse', 'mel_room'])
    """
    whole = [condition for condition in conditions if condition.subset == "all"]
    pairs = []
    for clean in whole:
        if is_clean(clean.experiment, clean.transform):
            noisy = [other for other in whole if _differ_in_noise(clean, other)]
            if noisy:
                pairs.append((clean, noisy))
    return pairs


def _differ_in_noise(clean: Condition, other: Condition) -> bool:
    def rest(condition: Condition) -> tuple[str, ...]:
        return (
            *(condition.transform, condition.protocol, condition.fill),
            *(condition.on, condition.network),
        )

    is_other = is_noise_trained(other.experiment) != is_noise_trained(clean.experiment)
    if is_other or is_clean(other.experiment, other.transform):
        return False
    return rest(other) == rest(clean)
