"""The study's five experiments, and the clips that each is run on."""

import os
from dataclasses import dataclass, replace

from ..dataset import ClipDataset, Contaminated
from ..errors import ArgumentError, choose
from ..interpretation import usable_name
from ..model import Classifier
from ..processing import LogMel, LogSTFT, Transform

TRAIN_FOLDS, VALID_FOLDS, TEST_FOLDS = (1, 2, 3), (4,), (5,)
TRANSFORMS: dict[str, Transform] = {"mel": LogMel(), "stft": LogSTFT()}


@dataclass(frozen=True)
class Experiment:
    """An experiment: the classifier's transform, and the noise mixed into the clips.

    Attributes:
        name: its name, and that of its folder in results.
        transform: what the classifier takes, see :func:`input_kind`.
        noise: the background noise, a name in ``NOISES`` or a path; None for clean clips.
        ratio: the signal's share of the mixture, in (0, 1]; see
            :class:`~audiointerp.dataset.Contaminated`.

    >>> Experiment("mel_street", "mel", noise="street.wav", ratio=0.8).transform
    'mel'
    """

    name: str
    transform: str
    noise: str | None = None
    ratio: float = 0.6


EXPERIMENTS: dict[str, Experiment] = {
    experiment.name: experiment
    for experiment in (
        Experiment("stft_clean", "stft"),
        Experiment("mel_clean", "mel"),
        Experiment("mel_horse", "mel", "horse"),
        Experiment("mel_room", "mel", "room"),
        Experiment("mel_white", "mel", "white"),
    )
}
"""The published experiments, by name."""
NOISE_TRAINED: dict[str, Experiment] = {
    f"{name}_noise_trained": replace(experiment, name=f"{name}_noise_trained")
    for name, experiment in EXPERIMENTS.items()
    if experiment.transform == "mel"
}
"""The mel experiments again, with a network that heard the noises in training, by name.

The published networks did not, so under noise they are often wrong, and then the explanations are
those of wrong decisions.
"""


def find_experiment(name: str) -> Experiment:
    """The experiment of that name in :data:`EXPERIMENTS` or :data:`NOISE_TRAINED`.

    Raises:
        ArgumentError: the name is unknown; the message lists the known ones.

    >>> find_experiment("mel_horse").noise
    'horse'
    """
    known = EXPERIMENTS | NOISE_TRAINED
    return known[choose("experiment", name, known)]


def clips_of(
    experiment: Experiment, dataset: ClipDataset, noise: str | os.PathLike[str] | None = None
) -> ClipDataset:
    """The clips of an experiment: clean clips, with the experiment's noise mixed in if it has one.

    Args:
        experiment: the experiment.
        dataset: the clean clips.
        noise: a recording that replaces the experiment's own noise.

    Raises:
        ArgumentError: a noise is given for an experiment on clean clips.

    >>> from audiointerp.dataset import Synthetic
    >>> clean = Synthetic((5,))
    >>> clips_of(EXPERIMENTS["mel_clean"], clean) is clean
    True
    >>> clips_of(EXPERIMENTS["mel_white"], clean).ratio
    0.6
    """
    if experiment.noise is None and noise is not None:
        raise ArgumentError(
            f"experiment {experiment.name} is on clean clips, so it takes no noise; "
            f"give the noise to mel_horse, for example"
        )
    if experiment.noise is None:
        return dataset
    return Contaminated(dataset, noise or experiment.noise, experiment.ratio)


def input_kind(classifier: Classifier) -> str:
    """Return what a classifier takes: ``"mel"``, ``"stft"``, ``"sounds"``, or its transform's name.

    >>> from audiointerp.model import Cnn6
    >>> input_kind(Classifier(Cnn6(2, base_channels=4), LogMel(), ["a", "b"]))
    'mel'
    """
    if classifier.takes_sounds:
        return "sounds"
    name = type(classifier.transform).__name__
    kinds = {type(transform).__name__: kind for kind, transform in TRANSFORMS.items()}
    return kinds.get(name, name.lower())


def own_experiment(name: str, classifier: Classifier) -> Experiment:
    """Return an experiment of your own on clean clips; a name of the study's is that experiment.

    Raises:
        ArgumentError: the name cannot name a folder.

    >>> from audiointerp.model import Cnn6
    >>> own_experiment("birds", Classifier(Cnn6(2, base_channels=4), LogMel(), ["a", "b"]))
    Experiment(name='birds', transform='mel', noise=None, ratio=0.6)
    """
    if name in EXPERIMENTS or name in NOISE_TRAINED:
        return find_experiment(name)
    return Experiment(usable_name(name), input_kind(classifier))


def check_network(experiment: Experiment, classifier: Classifier) -> None:
    """Refuse a classifier that is not of the kind of an experiment's.

    Raises:
        ArgumentError: the classifier's transform is not the experiment's, or the experiment is in
            :data:`NOISE_TRAINED`, and the classifier's record names no noises.

    >>> from audiointerp.model import Cnn6
    >>> check_network(
    ...     EXPERIMENTS["mel_clean"], Classifier(Cnn6(2, base_channels=4), LogMel(), ["a", "b"])
    ... )
    """
    kind = input_kind(classifier)
    if kind != experiment.transform:
        raise ArgumentError(
            f"experiment {experiment.name} needs a classifier on {experiment.transform} features, "
            f"this one takes {kind}; with clips of your own, give the run a name of your own"
        )
    if experiment.name in NOISE_TRAINED and not classifier.training.get("noises"):
        raise ArgumentError(
            f"experiment {experiment.name} needs a network that heard noise in training, and the "
            f"record of this one names none; train one with audiointerp train --noises, or run "
            f"{experiment.name.removesuffix('_noise_trained')}"
        )
