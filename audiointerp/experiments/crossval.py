"""Cross-validation: each fold is scored by a network that was trained on the other folds.

``OUT/fold_1/`` and so on hold ``weights/`` (the network and its card), ``training.json`` (what the
training depended on, written last) and the results of a run.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ..dataset import ClipDataset, warn_of_shared_recordings
from ..errors import ArgumentError
from ..interpretation import METHODS
from ..model import Classifier
from ..scoring import ood_reference
from ..util import plain, read_json, write_json
from .data import background_of
from .differences import differences
from .runner import run
from .store import OTHER_FOLDER
from .study import Experiment

FEWEST_FOLDS = 3
"""One to train on, one to choose the epoch, one to test."""

Sets = tuple[ClipDataset, ClipDataset, ClipDataset]
"""The clips for training, validation and test."""


@dataclass(frozen=True)
class Fold:
    """One round of a cross-validation, by the numbers of the folds.

    Attributes:
        test: the fold that is scored.
        validation: the fold that chooses the epoch.
        train: the others.

    >>> Fold(5, 1, (2, 3, 4)).folder
    'fold_5'
    """

    test: int
    validation: int
    train: tuple[int, ...]

    @property
    def folder(self) -> str:
        """The name of the folder of its weights and results."""
        return f"fold_{self.test}"


def rounds_of(folds: Sequence[int]) -> list[Fold]:
    """Let each fold be the test fold once; the next one, after the last the first, validates.

    Raises:
        ArgumentError: there are fewer than three folds, or one is repeated.

    >>> rounds_of([1, 2, 3, 4, 5])[4]
    Fold(test=5, validation=1, train=(2, 3, 4))
    """
    if len(folds) < FEWEST_FOLDS or len(set(folds)) < len(folds):
        raise ArgumentError(
            f"folds {list(folds)}: give at least {FEWEST_FOLDS} different ones, to train, to "
            "choose the epoch and to test"
        )
    followers = [*folds[1:], folds[0]]
    rounds = []
    for test, validation in zip(folds, followers, strict=True):
        train = tuple(fold for fold in folds if fold not in (test, validation))
        rounds.append(Fold(test, validation, train))
    return rounds


def cross_validate(
    experiment: Experiment,
    open_folds: Callable[[Sequence[int]], ClipDataset],
    train: Callable[[Sets, Path], Path],
    training: Mapping[str, Any],
    methods: Sequence[str],
    out: str | os.PathLike[str],
    *,
    folds: Sequence[int] = (1, 2, 3, 4, 5),
    resume: bool = True,
    **settings: Any,
) -> pd.DataFrame:
    """Train on the other folds and score each fold, so that each clip is scored once.

    The same call resumes: a fold whose network is trained is not trained again, and its scores
    are resumed as by :func:`~audiointerp.experiments.run`.

    Args:
        experiment: what is scored.
        open_folds: opens the clean clips of some folds.
        train: trains on the clips for training and validation and writes into a folder; returns
            the path of the weights. It gets the test clips too, for the card.
        training: how it trains, as plain values: a fold that was trained otherwise is refused.
        methods: names in :data:`~audiointerp.METHODS`; the background of SHAP is drawn from the
            fold's training clips.
        out: the folder of this cross-validation.
        folds: the numbers of the folds.
        resume: whether to keep earlier networks and scores.
        **settings: of :func:`~audiointerp.experiments.run`.

    Returns:
        The rows of all folds, with a first column ``fold``.

    Raises:
        ArgumentError: two settings do not fit together, or earlier networks or results have other
            settings.
        AudioInterpError, Stopped: as in :func:`~audiointerp.experiments.run`.

    Example:
        ``audiointerp crossval mel_clean`` calls it.
    """
    tables, methods = [], list(methods)
    rounds = rounds_of(folds)
    for fold in rounds if resume else ():
        _refuse_results_alone(Path(out) / fold.folder)
    for fold in rounds:
        sets = (
            open_folds(fold.train),
            open_folds((fold.validation,)),
            open_folds((fold.test,)),
        )
        warn_of_shared_recordings(str(fold.test), sets[:2], sets[2])
        folder = Path(out) / fold.folder
        classifier = _trained(folder, sets, train, training, resume)
        needs_background = any(METHODS[name].needs_background for name in methods)
        background = background_of(sets[0], classifier.transform) if needs_background else None
        rows = run(
            experiment,
            classifier,
            sets[2],
            methods,
            folder,
            background=background,
            reference=ood_reference(classifier, sets[0], sets[1]),
            resume=resume,
            **settings,
        )
        rows.insert(0, "fold", fold.test)
        tables.append(rows)
    return pd.concat(tables, ignore_index=True)


def _trained(
    folder: Path,
    sets: Sets,
    train: Callable[[Sets, Path], Path],
    training: Mapping[str, Any],
    resume: bool,
) -> Classifier:
    """Load the classifier of a fold; train it first unless it is finished."""
    path = folder / "training.json"
    parts = ("train", "validation", "test")
    clips = dict(zip(parts, map(_names, sets), strict=True))
    record = plain({**training, "clips": clips})
    earlier = read_json(path) if resume else None
    if isinstance(earlier, dict) and "weights" in earlier:
        changed = differences(earlier, record)
        if changed:
            raise ArgumentError(
                f"{path}: was trained otherwise ({'; '.join(changed)}); {OTHER_FOLDER}"
            )
        return Classifier.load(folder / earlier["weights"])
    # Without its record, a training that is killed now counts as not done.
    path.unlink(missing_ok=True)
    weights = train(sets, folder / "weights")
    write_json(path, {**record, "weights": weights.relative_to(folder).as_posix()})
    return Classifier.load(weights)


def _refuse_results_alone(folder: Path) -> None:
    """Refuse results, e.g. packed ones, whose network is not there: another one cannot go on."""
    record = read_json(folder / "training.json")
    weights = record.get("weights") if isinstance(record, dict) else None
    has_network = isinstance(weights, str) and (folder / weights).is_file()
    if not has_network and any(folder.glob("*/*/*/run.json")):
        raise ArgumentError(
            f"{folder}: holds results without their network; give another folder (--out, --name)"
        )


def _names(dataset: ClipDataset) -> list[str]:
    return [dataset.clip_id(index) for index in range(len(dataset))]
