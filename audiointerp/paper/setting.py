"""The setting of an experiment at work: its folds and its network."""

import os
from pathlib import Path

import torch

from ..dataset import ClipDataset
from ..display import write_card
from ..errors import ArgumentError, ModelError
from ..experiments import (
    TEST_FOLDS,
    TRAIN_FOLDS,
    TRANSFORMS,
    VALID_FOLDS,
    open_data,
)
from ..fit import Trained, train_classifier
from ..model import Classifier
from ..scoring import check_fits
from ..util import keep_memory
from .choice import Setting, choose_setting, data_root

__all__ = [
    "Setting",
    "choose_setting",
    "data_root",
    "load_or_train",
    "open_folds",
    "train",
    "weights_of",
]

WEIGHTS, TRAINED = Path("weights"), Path("trained")
"""Folders of networks: those that come with the project, and those that you train."""
Folds = tuple[ClipDataset, ClipDataset, ClipDataset]


def open_folds(setting: Setting) -> Folds:
    """Open the clips for training (folds 1 to 3), validation (fold 4) and test (fold 5).

    >>> train, valid, test = open_folds(choose_setting("mel"))
    >>> len(train) > len(valid), train.sample_rate
    (True, 32000)
    """
    rate = TRANSFORMS[setting.transform].sample_rate
    train, valid, test = (
        open_data(setting.root, folds, setting.subset, sample_rate=rate)
        for folds in (TRAIN_FOLDS, VALID_FOLDS, TEST_FOLDS)
    )
    return train, valid, test


def train(
    setting: Setting, folds: Folds, *, device: str | torch.device = "cpu", progress: bool = True
) -> Trained:
    """Train the setting's network; see :func:`~audiointerp.fit.train_classifier`.

    :func:`~audiointerp.display.card.write_card` saves it.

    Args:
        setting: of :func:`choose_setting`.
        folds: the clips for training, validation and test.
        device: where to train.
        progress: whether to show progress bars.

    >>> from ..dataset import EvenSubset, Synthetic
    >>> from ..fit import FitSettings
    >>> setting = Setting("mel", None, None, "synthetic", "Cnn10", 1, 0, 0, FitSettings(epochs=1))
    >>> folds = [EvenSubset(Synthetic((fold,), duration=3.0), 10) for fold in (1, 4, 5)]
    >>> train(setting, folds, progress=False).classifier.network.settings["base_channels"]
    1
    """
    keep_memory()
    (trained,) = train_classifier(
        folds,
        TRANSFORMS[setting.transform],
        setting.network,
        base_channels=setting.base_channels,
        dropout=setting.dropout,
        head_dropout=setting.head_dropout,
        settings=setting.fit,
        level_range=setting.level_range,
        seeds=(setting.fit.seed,),
        checkpoint=setting.checkpoint,
        device=device,
        progress=progress,
    )
    return trained


def load_or_train(
    setting: Setting,
    folds: Folds,
    weights: str | os.PathLike[str] | None = None,
    *,
    device: str | torch.device = "cpu",
) -> tuple[Classifier, str]:
    """Return the setting's classifier, and a line that says where it comes from.

    It is loaded from ``weights`` if given, else from ``weights/NAME.safetensors``, else from
    ``trained/NAME.safetensors``. If none is there, a network for the synthetic set is trained and
    saved in ``trained``; one for real clips takes too long for that.

    Raises:
        ModelError: there is no such file, or the file of the setting's name holds another kind of
            network than the setting's.
        ArgumentError: the classifier has other labels or another sample rate than the data.

    >>> import tempfile
    >>> from ..dataset import Synthetic
    >>> from ..fit import FitSettings
    >>> from ..model import Cnn6
    >>> setting = Setting("mel", None, None, "synthetic", "Cnn6", 1, 0, 0, FitSettings())
    >>> folds = [Synthetic((fold,)) for fold in (1, 4, 5)]
    >>> network = Cnn6(10, base_channels=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "mine.safetensors"
    ...     Classifier(network, TRANSFORMS["mel"], folds[2].labels, 5.0).save(path)
    ...     classifier, origin = load_or_train(setting, folds, path)
    >>> type(classifier.network).__name__
    'Cnn6'
    """
    keep_memory()
    file = f"{setting.name}.safetensors"
    path = weights_of(setting) if weights is None else Path(weights)
    if path is not None:
        classifier = _load(path, folds[2], device)
        kind = type(classifier.network).__name__
        if weights is None and kind != setting.network:
            raise ModelError(
                f"{path}: holds a {kind}, but this setting needs a {setting.network}; move the "
                f"file away and run train_model_{setting.transform}.ipynb"
            )
        if weights is None:
            _check_noise(path, classifier, setting)
        command = classifier.training.get("command", "an unknown command")
        return classifier, f"Network: {path}, made by: {command}"
    if setting.root is not None or setting.noise_trained:
        way = (
            "`audiointerp train --noises horse,room,white`"
            if setting.noise_trained
            else f"train_model_{setting.transform}.ipynb"
        )
        raise ModelError(
            f"neither {WEIGHTS / file} nor {TRAINED / file} is there: run {way} first, which "
            "trains it, or pass other weights"
        )
    trained = train(setting, folds, device=device)
    command = "audiointerp.paper.setting.load_or_train, on the synthetic set"
    path = write_card([trained], TRAINED, setting.name, command)
    origin = f"Network: trained now on the synthetic set, saved as {path}"
    return trained.classifier.to(device), origin


def _check_noise(path: Path, classifier: Classifier, setting: Setting) -> None:
    """Refuse a network that heard noise in training where none may have, and the other way."""
    has_noise = bool(classifier.training.get("noises"))
    if has_noise != setting.noise_trained:
        trained, other = (
            ("with noise", "clean") if has_noise else ("without noise", "noise-trained")
        )
        raise ModelError(
            f"{path}: was trained {trained}, and stands for the {other} network of the study; move "
            f"it away, or give the weights of a {other} network"
        )


def weights_of(setting: Setting) -> Path | None:
    """Return the file of the setting's network, in ``weights`` or else in ``trained``, or None.

    >>> from ..fit import FitSettings
    >>> setting = Setting("mel", None, None, "nothing", "Cnn6", 1, 0, 0, FitSettings())
    >>> weights_of(setting) is None
    True
    """
    for folder in (WEIGHTS, TRAINED):
        path = folder / f"{setting.name}.safetensors"
        if path.exists():
            return path
    return None


def _load(path: Path, dataset: ClipDataset, device: str | torch.device) -> Classifier:
    classifier = Classifier.load(path, device)
    try:
        check_fits(classifier, dataset)
    except ArgumentError as error:
        raise ArgumentError(f"{path}: {error}") from error
    return classifier
