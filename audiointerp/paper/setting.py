"""The setting of the study at work: its folds, its network, its experiments."""

import os
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor

from ..dataset import ClipDataset, EvenSubset, InMemory
from ..display import write_card
from ..errors import ArgumentError, ModelError
from ..experiments import (
    EXPERIMENTS,
    NOISE_TRAINED,
    TEST_FOLDS,
    TRAIN_FOLDS,
    TRANSFORMS,
    VALID_FOLDS,
    Experiment,
    background_of,
    open_data,
    run,
)
from ..fit import Trained, train_classifier
from ..model import Classifier
from ..scoring import check_fits, ood_reference
from ..util import keep_memory
from .choice import Setting, choose_setting, data_root
from .published import COMPARED_METHODS, STUDY_MASKS

__all__ = [
    "Setting",
    "choose_setting",
    "data_root",
    "load_or_train",
    "open_folds",
    "run_study",
    "settings_of_study",
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

    >>> from ..dataset import Synthetic
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


def run_study(
    data: str | os.PathLike[str] | None = None,
    subset: str | None = None,
    *,
    methods: Sequence[str] = COMPARED_METHODS,
    out: str | os.PathLike[str] | None = None,
    resume: bool = True,
    device: str | torch.device = "cpu",
    workers: int = 1,
    shard: tuple[int, int] = (1, 1),
) -> dict[str, pd.DataFrame]:
    """Run every experiment of the study with the settings that suit the data.

    Interrupted, the same call resumes; once it is done, it changes nothing. ``results/`` holds the
    rows in small files, see :func:`~audiointerp.paper.pack_results`.

    Args:
        data, subset: see :func:`choose_setting`.
        methods, resume, device, workers, shard: see :func:`~audiointerp.experiments.runner.run`.
        out: the folder of results; if None the setting's own.

    Returns:
        The rows of each experiment, by name. Those of ``NOISE_TRAINED`` are among them if there is
        a network that heard the noises, see :func:`settings_of_study`.

    Raises:
        ModelError, ArgumentError: see :func:`load_or_train`.

    Example (hours)::

        results = run_study("data/ESC-50", "esc10", workers=4)
        results["mel_clean"].groupby("method")["FF"].mean()
    """
    settings = settings_of_study(data, subset)
    folds = {setting.transform: open_folds(setting) for setting in settings}
    # All networks are loaded first, so that a missing one is reported before the long runs.
    classifiers = [
        load_or_train(setting, folds[setting.transform], device=device)[0] for setting in settings
    ]
    # The experiments of one sample rate share the clips in memory.
    clips = {
        setting.transform: EvenSubset(InMemory(folds[setting.transform][2]), setting.scored)
        for setting in settings
    }
    results = {}
    backgrounds: dict[str, Tensor] = {}
    for setting, classifier in zip(settings, classifiers, strict=True):
        train, valid, _ = folds[setting.transform]
        # Two networks on equal features share it.
        features = str(classifier.transform.to_dict())
        if features not in backgrounds:
            backgrounds[features] = background_of(train, classifier.transform)
        reference = ood_reference(classifier, train, valid)
        for experiment in _experiments_of(setting):
            results[experiment.name] = run(
                experiment,
                classifier,
                clips[setting.transform],
                methods,
                out or setting.results,
                background=backgrounds[features],
                reference=reference,
                masks=STUDY_MASKS,
                attributions=False,
                resume=resume,
                device=device,
                workers=workers,
                shard=shard,
            )
    return results


def settings_of_study(
    data: str | os.PathLike[str] | None = None, subset: str | None = None
) -> list[Setting]:
    """Return the settings of the study's experiments: STFT, mel, and mel trained with noise.

    The last is left out if there is no network of it in ``weights`` or ``trained``.

    Args:
        data, subset: see :func:`choose_setting`.

    >>> [setting.name for setting in settings_of_study()][:2]
    ['synthetic_stft_cnn10', 'synthetic_mel_cnn10']
    """
    transforms = dict.fromkeys(experiment.transform for experiment in EXPERIMENTS.values())
    settings = [choose_setting(transform, data, subset) for transform in transforms]
    noise_trained = choose_setting("mel", data, subset, noise_trained=True)
    return settings if weights_of(noise_trained) is None else [*settings, noise_trained]


def _experiments_of(setting: Setting) -> list[Experiment]:
    known = NOISE_TRAINED if setting.noise_trained else EXPERIMENTS
    return [each for each in known.values() if each.transform == setting.transform]
