"""What is never averaged over: a setting is features, experiment, protocol, ``on``, and which of the clips."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from ..errors import AudioInterpError
from ..experiments import EXPERIMENTS
from ..tables import SCORES, summarise
from .cells import clip_values, place, with_intervals

SUBSETS: dict[str, tuple[bool | None, str]] = {
    "all": (None, "all clips"),
    "correct": (True, "correctly classified clips"),
    "incorrect": (False, "wrongly classified clips"),
}
"""Of the clips: the value of the column ``correct``, and what it is called."""
SHARES = {"undefined %": "undefined", "constant %": "constant"}
"""What heads a column of shares, and its name in the summary."""
SPLIT = ("features", "experiment", "protocol", "on")


@dataclass(frozen=True, eq=False)
class Setting:
    """Rows of scored clips that may stand in one table, and what they are of."""

    features: str
    experiment: str
    protocol: str
    on: str
    subset: str
    rows: pd.DataFrame

    @property
    def title(self) -> str:
        """As it ends a table's title."""
        return f"{self.label}, {SUBSETS[self.subset][1]}, {self.how}"

    @property
    def label(self) -> str:
        """The experiment, told apart from one of the same name on other features."""
        return label(self.features, self.experiment)

    @property
    def how(self) -> str:
        """What was scored, and by which definitions where they are not the sound ones."""
        return f"on {self.on}" + ("" if self.protocol == "sound" else f", protocol {self.protocol}")

    def values(self, name: str) -> pd.DataFrame:
        """See :func:`~audiointerp.paper.cells.clip_values`."""
        if name not in self._values:
            self._values[name] = clip_values(self.rows, name)
        return self._values[name]

    @cached_property
    def _values(self) -> dict[str, pd.DataFrame]:
        """What several tables need is made once."""
        return {}

    @cached_property
    def scores(self) -> dict[str, pd.DataFrame]:
        """The statistics of each score, then of the area and the shares of masks, by what heads their columns.

        The index of each is (method, mask); the columns are mean, low, high, or mean alone.
        """
        found = {name: with_intervals(self.values(name)) for name in SCORES}
        means = summarise(self.rows).reindex(found["FF"].index)
        for head in ("AREA", *SHARES, "clips"):
            numbers = means[[SHARES.get(head, head)]].set_axis(["mean"], axis=1)
            found[head] = 100 * numbers if head in SHARES else numbers
        return found

    @property
    def network(self) -> str:
        """The network that was run, "" where the results do not tell."""
        return str(self.rows["network"].iloc[0]) if "network" in self.rows else ""

    def name(self, *words: str) -> str:
        """Of a table's files: words, and how it was scored."""
        own = () if self.protocol == "sound" else (f"protocol_{self.protocol}",)
        return slug("_".join([*words, f"on_{self.on}", *own]))


def label(features: str, experiment: str) -> str:
    """An experiment's name with its features in front.

    >>> label("mel", "mel_clean"), label("mel", "street")
    ('mel_clean', 'mel_street')
    """
    return experiment if experiment.startswith(f"{features}_") else f"{features}_{experiment}"


def slug(text: str) -> str:
    """A name that a file and a LaTeX label may have.

    >>> slug("a/b: c")
    'a_b_c'
    """
    return re.sub(r"[^A-Za-z0-9.+-]+", "_", text).strip("._")


def settings(rows: pd.DataFrame) -> list[Setting]:
    """Every setting that has a scored clip, in the order of the study's experiments.

    Raises:
        AudioInterpError: there is none.
    """
    scored = rows[rows["status"] == "ok"]
    if scored.empty:
        raise AudioInterpError("no clip was scored, so there is nothing to put into tables")
    found = []
    for key, own in scored.groupby(list(SPLIT), sort=False):
        features, experiment, protocol, on = (str(name) for name in key)
        for subset, (correct, _) in SUBSETS.items():
            part = own if correct is None else own[_is(own, correct)]
            if len(part):
                found.append(Setting(features, experiment, protocol, on, subset, part))
    return sorted(found, key=_order)


def _order(setting: Setting) -> tuple[object, ...]:
    clean_first = (setting.features != "mel", place(setting.experiment, EXPERIMENTS))
    return (*clean_first, setting.features, setting.protocol != "sound", setting.protocol, setting.on != "features")


def _is(rows: pd.DataFrame, correct: bool) -> np.ndarray:
    """Which rows are of clips that were classified so; none where the results do not tell."""
    told = rows["correct"] if "correct" in rows else [None] * len(rows)
    return np.array([value in (True, False) and value == correct for value in told], bool)


def against_noise(found: Sequence[Setting]) -> list[tuple[Setting, list[Setting]]]:
    """Each setting of all clean clips with those of the same features, protocol, ``on`` and network under noise."""
    whole = [setting for setting in found if setting.subset == "all"]
    pairs = []
    for clean in whole:
        if not is_clean(clean.experiment, clean.features):
            continue
        noisy = [other for other in whole if other.experiment != clean.experiment and other.network == clean.network
                 and (other.features, other.protocol, other.on) == (clean.features, clean.protocol, clean.on)]  # fmt: skip
        if noisy:
            pairs.append((clean, noisy))
    return pairs


def is_clean(experiment: str, features: str) -> bool:
    """Whether an experiment is the study's own of clean clips on these features."""
    known = EXPERIMENTS.get(experiment)
    return known is not None and known.noise is None and known.features == features
