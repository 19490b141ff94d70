"""What the notebooks work on: the data that is there, and the setting of the study that suits it."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
import torch

from .dataset import ESC50, ClipDataset, InMemory, Part
from .devices import keep_memory
from .errors import ArgumentError, DatasetError, ModelError, choose
from .experiments import EXPERIMENTS, TEST_FOLDS, TRAIN_FOLDS, TRANSFORMS, VALID_FOLDS, background_of, open_data, run
from .explain import check_fits
from .fit import PUBLISHED, FitSettings
from .model import Classifier
from .tables import COMPARED
from .training import Trained, train_classifier, write_card

VARIABLE = "AUDIOINTERP_DATA"
"""The environment variable that names the data folder."""
USUAL_FOLDER = Path("data") / "ESC-50"
CHECKPOINT = Path("pretrained") / "Cnn14_mAP=0.431.pth"
WEIGHTS, TRAINED = Path("weights"), Path("trained")
"""Folders of networks: those that come with the project, and those that one trains."""
KEPT = Path("results")
"""The folder of the results that come with the project: all clips of ESC-10."""
SCORED_OF_MADE = 10
"""Clips of the made set that are scored: one a class."""
Folds = tuple[ClipDataset, ClipDataset, ClipDataset]


@dataclass(frozen=True)
class Setting:
    """What is trained and explained, on what; printed, it says so.

    Attributes:
        features: a name in ``TRANSFORMS``.
        root: the data folder; None is the made set.
        subset: see :class:`~audiointerp.dataset.esc50.ESC50`.
        data: ``"esc50"``, ``"esc10"``, ``"made"``, or ``"own_"`` and the name of another folder in their layout.
        network, base_channels, dropout, head_dropout: see :func:`~audiointerp.training.train_classifier`.
        fit: how it is trained, and its seed.
        checkpoint: what training starts from; None is nothing.
        scored: how many test clips are explained and scored; None is all.
        told: the data and the network in words.
    """

    features: str
    root: Path | None
    subset: str | None
    data: str
    network: str
    base_channels: int
    dropout: float
    head_dropout: float
    fit: FitSettings
    checkpoint: Path | None = None
    scored: int | None = None
    told: str = ""

    @property
    def name(self) -> str:
        """Of the files of its network."""
        return f"{self.data}_{self.features}_{self.network.lower()}"

    @property
    def results(self) -> Path:
        """The folder of its results on this machine; a trial has one of its own."""
        return Path(f"results_{self.data}{'' if self.scored is None else f'_{self.scored}_clips'}")

    def __str__(self) -> str:
        counted = {None: "all test clips are", 1: "1 test clip is"}.get(self.scored, f"{self.scored} test clips are")
        return f"{self.told}\n{counted} scored, into {self.results}/; {self.features} features"


def data_root() -> Path | None:
    """The data folder: what the environment variable ``AUDIOINTERP_DATA`` names, else ``data/ESC-50``, else None, the made set.

    An empty variable counts as none.

    Raises:
        DatasetError: the variable names something that is not in the layout of ESC-50.
    """
    named = os.environ.get(VARIABLE)
    if not named:
        return USUAL_FOLDER if USUAL_FOLDER.is_dir() else None
    if not (Path(named) / "meta" / "esc50.csv").is_file():
        found = "holds no meta/esc50.csv" if Path(named).is_dir() else "no such folder"
        raise DatasetError(f"{VARIABLE}={named}: {found}; name a folder in the layout of ESC-50, or unset it")
    return Path(named)


def choose_setting(
    features: str,
    data: str | os.PathLike[str] | None = None,
    subset: str | None = None,
    *,
    epochs: int | None = None,
    clips: int | None = None,
    checkpoint: str | os.PathLike[str] = CHECKPOINT,
) -> Setting:
    """The published setting where all 50 classes and the PANNs checkpoint are there; otherwise a small network.

    The 50 classes without the checkpoint are taken as ESC-10, whose networks come with the project.

    Args:
        features: ``"mel"`` or ``"stft"``.
        data: a folder in the layout of ESC-50; what :func:`data_root` finds if None.
        subset: ``"esc10"``; what suits the data if None.
        epochs: of training; the setting's own if None.
        clips: how many test clips are scored; the setting's own if None (all, or 10 of the made set).
        checkpoint: where the PANNs checkpoint of Cnn14 would be.

    Raises:
        DatasetError: the folder is not in the layout of ESC-50.
        ArgumentError: a name is unknown, a subset of the made set is asked for, or ``clips`` is below 1.
    """
    choose("features", features, TRANSFORMS)
    if clips is not None and clips < 1:
        raise ArgumentError(f"clips={clips}: at least one test clip is scored; None scores the setting's own number")
    if subset is not None:
        choose("subset", subset, ["esc10"])
    root = data_root() if data is None else Path(data)
    if root is None:
        open_data(None, TEST_FOLDS, subset)  # refuses a subset
        setting = _of_made(features)
    else:
        setting = _of_folder(features, root, subset, Path(checkpoint))
    fit = setting.fit if epochs is None else replace(setting.fit, epochs=epochs)
    return replace(setting, fit=fit, scored=setting.scored if clips is None else clips)


def open_folds(setting: Setting) -> Folds:
    """The clips for training (folds 1 to 3), validation (4) and test (5)."""
    rate = TRANSFORMS[setting.features].sample_rate
    train, valid, test = (
        open_data(setting.root, folds, setting.subset, sample_rate=rate)
        for folds in (TRAIN_FOLDS, VALID_FOLDS, TEST_FOLDS)
    )
    return train, valid, test


def train(setting: Setting, folds: Folds, *, device: str | torch.device = "cpu", progress: bool = True) -> Trained:
    """Train the setting's network; see :func:`~audiointerp.training.train_classifier`, and ``write_card`` to keep it."""
    keep_memory()
    (trained,) = train_classifier(
        folds, TRANSFORMS[setting.features], setting.network, base_channels=setting.base_channels,
        dropout=setting.dropout, head_dropout=setting.head_dropout, settings=setting.fit, seeds=(setting.fit.seed,),
        checkpoint=setting.checkpoint, device=device, progress=progress,
    )  # fmt: skip
    return trained


def load_or_train(
    setting: Setting,
    folds: Folds,
    weights: str | os.PathLike[str] | None = None,
    *,
    device: str | torch.device = "cpu",
) -> tuple[Classifier, str]:
    """The setting's classifier, and in words where it comes from.

    It is loaded from ``weights`` if given, else from ``weights/NAME.safetensors``, else from ``trained/NAME.safetensors``.
    Where neither is there, a network for the made set is trained at once and kept in ``trained``; one for real clips takes
    too long for that.

    Raises:
        ModelError: there is no such file, or the one of the setting's name holds another network than the setting's.
        ArgumentError: the network was made for other labels or another sample rate than the data's.
    """
    keep_memory()
    file = f"{setting.name}.safetensors"
    found = (
        [Path(weights)] if weights is not None else [path for path in (WEIGHTS / file, TRAINED / file) if path.exists()]
    )
    if found:
        classifier = _loaded(found[0], folds[2], device)
        kind = type(classifier.network).__name__
        if weights is None and kind != setting.network:
            raise ModelError(
                f"{found[0]}: holds a {kind}, and this setting is of a {setting.network}; move the file away, and run "
                f"train_model_{setting.features}.ipynb"
            )
        return classifier, f"Network: {found[0]}, made by: {classifier.training.get('command', 'it does not say')}"
    if setting.root is not None:
        raise ModelError(
            f"neither {WEIGHTS / file} nor {TRAINED / file} is there: run train_model_{setting.features}.ipynb first, which "
            f"trains it (in Python and in a notebook of experiments other weights can be given)"
        )
    trained = train(setting, folds, device=device)
    kept = write_card([trained], TRAINED, setting.name, "audiointerp.setting.load_or_train, on the made set")
    return trained.classifier.to(device), f"Network: trained here on the made set, and kept as {kept}"


def _loaded(path: Path, dataset: ClipDataset, device: str | torch.device) -> Classifier:
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
    methods: Sequence[str] = COMPARED,
    out: str | os.PathLike[str] | None = None,
    resume: bool = True,
    device: str | torch.device = "cpu",
    workers: int = 1,
) -> dict[str, pd.DataFrame]:
    """Every experiment of the study with the setting that suits the data, as the notebooks run them: what ``results/`` holds.

    Stopped or killed, the same call goes on where it was; done, it changes nothing.

    Args:
        data, subset: see :func:`choose_setting`.
        methods: of :func:`~audiointerp.experiments.run`, which also has ``resume``, ``device`` and ``workers``.
        out: the folder of results; if None ``results`` for all clips of ESC-10, else the setting's own.

    Returns:
        The rows of each experiment.
    """
    names = dict.fromkeys(experiment.features for experiment in EXPERIMENTS.values())
    settings = [choose_setting(features, data, subset) for features in names]
    folds = [open_folds(setting) for setting in settings]
    # All of them first: a network that is missing is told before the long runs.
    classifiers = [load_or_train(*each, device=device)[0] for each in zip(settings, folds, strict=True)]
    found = {}
    for setting, (train, _, test), classifier in zip(settings, folds, classifiers, strict=True):
        background = background_of(train, classifier.transform)
        scored = Part(InMemory(test), setting.scored)  # the experiments of one rate share its clips
        whole = setting.data == "esc10" and setting.scored is None
        folder = out if out is not None else KEPT if whole else setting.results
        for experiment in EXPERIMENTS.values():
            if experiment.features == setting.features:
                found[experiment.name] = run(
                    experiment, classifier, scored, methods, folder, background=background,
                    attributions=False, resume=resume, device=device, workers=workers,
                )  # fmt: skip
    return found


def _of_made(features: str) -> Setting:
    epochs = 18 if features == "mel" else 12
    told = (
        f"Data: the made set, 10 classes of made sounds, since neither {VARIABLE} nor {USUAL_FOLDER} is there.\n"
        f"Network: a small Cnn10, enough to try everything; its figures say nothing about real sounds."
    )
    fit = FitSettings(epochs=epochs, learning_rate=5e-3)
    return Setting(features, None, None, "made", "Cnn10", 8, 0.0, 0.1, fit, None, SCORED_OF_MADE, told)


def _of_folder(features: str, root: Path, subset: str | None, checkpoint: Path) -> Setting:
    classes, flagged = len(ESC50(root).labels), _esc10_classes(root)
    if subset is None and classes == 50 and checkpoint.is_file():
        told = f"Data: ESC-50, 50 classes, from {root.name}/.\nNetwork: Cnn14 from {checkpoint.name}: the published setting."
        return Setting(features, root, None, "esc50", "Cnn14", 64, 0.2, 0.5, PUBLISHED, checkpoint, None, told)
    if subset is None and flagged == 10 and classes in (10, 50):
        subset = "esc10"
    own = "own_" + "_".join(re.findall(r"\w+", root.resolve().name))  # data of two folders are not one
    data, shown = ("esc10", "ESC-10, 10 classes") if subset else (own, f"{classes} classes")
    channels = 16 if features == "mel" else 12
    fit = FitSettings() if features == "mel" else FitSettings(epochs=50, frequency_mask=32, time_mask=25)
    told = (
        f"Data: {shown}, from {root.name}/.\nNetwork: a small Cnn10, trained from nothing. The published setting, Cnn14, needs "
        f"all of ESC-50 and {checkpoint}."
    )
    return Setting(features, root, subset, data, "Cnn10", channels, 0.1, 0.2, fit, None, None, told)


def _esc10_classes(root: Path) -> int:
    """How many classes of a folder belong to ESC-10; 0 where its table does not say."""
    try:
        return len(ESC50(root, subset="esc10").labels)
    except DatasetError:
        return 0
