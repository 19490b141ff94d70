"""Chooses the setting of the study that suits the data: what is trained and explained, on what."""

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path

from ..dataset import ESC50
from ..errors import ArgumentError, DatasetError, choose
from ..experiments import TEST_FOLDS, TRANSFORMS, open_data
from ..fit import PUBLISHED, FitSettings

VARIABLE = "AUDIOINTERP_DATA"
"""The environment variable that names the data folder."""
USUAL_FOLDER = Path("data") / "ESC-50"
CHECKPOINT = Path("pretrained") / "Cnn14_mAP=0.431.pth"
SCORED_SYNTHETIC_CLIPS = 10
"""How many clips of the synthetic set are scored: one per class."""


@dataclass(frozen=True)
class Setting:
    """What is trained and explained, and on which clips; printed as a description of these.

    Attributes:
        transform: a name in ``TRANSFORMS``.
        root: the data folder; None for the synthetic set.
        subset: see :class:`~audiointerp.dataset.esc50.ESC50`.
        data: ``"esc50"``, ``"esc10"``, ``"synthetic"``, or ``"own_"`` and the name of another
            folder in the layout of ESC-50.
        network, base_channels, dropout, head_dropout: see
            :func:`~audiointerp.fit.train_classifier`.
        fit: how the network is trained, and its seed.
        checkpoint: the weights that training starts from; None for random ones.
        scored: how many test clips are explained and scored; None for all.
        noise_trained: whether the network hears the study's noises in training.
        level_range: in dB, see :func:`~audiointerp.fit.train_classifier`; None for absolute levels.
        description: the data and the network in words.

    >>> setting = Setting("mel", None, None, "synthetic", "Cnn10", 8, 0.0, 0.1, FitSettings())
    >>> setting.name, str(setting.results)
    ('synthetic_mel_cnn10', 'results_synthetic')
    """

    transform: str
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
    description: str = ""
    noise_trained: bool = False
    level_range: float | None = None

    @property
    def name(self) -> str:
        """The name of the network's files."""
        ending = "_noise" if self.noise_trained else ""
        return f"{self.data}_{self.transform}_{self.network.lower()}{ending}"

    @property
    def results(self) -> Path:
        """The folder of the results on this machine; each number of scored clips has its own."""
        return Path(f"results_{self.data}{'' if self.scored is None else f'_{self.scored}_clips'}")

    def __str__(self) -> str:
        counts = {None: "all test clips are", 1: "1 test clip is"}
        clips = counts.get(self.scored, f"{self.scored} test clips are")
        return (
            f"{self.description}\n{clips} scored, into {self.results}/; {self.transform} features"
        )


def data_root() -> Path | None:
    """Return the data folder, or None if there is none, so that the synthetic set is used.

    It is what the environment variable ``AUDIOINTERP_DATA`` names, else ``data/ESC-50``. An empty
    variable counts as none.

    Raises:
        DatasetError: the variable names something that is not in the layout of ESC-50.

    >>> root = data_root()
    >>> root is None or root.is_dir()
    True
    """
    named = os.environ.get(VARIABLE)
    if not named:
        return USUAL_FOLDER if USUAL_FOLDER.is_dir() else None
    if not (Path(named) / "meta" / "esc50.csv").is_file():
        problem = "holds no meta/esc50.csv" if Path(named).is_dir() else "no such folder"
        raise DatasetError(
            f"{VARIABLE}={named}: {problem}; name a folder in the layout of ESC-50, or unset it"
        )
    return Path(named)


def choose_setting(
    transform: str,
    data: str | os.PathLike[str] | None = None,
    subset: str | None = None,
    *,
    epochs: int | None = None,
    clips: int | None = None,
    checkpoint: str | os.PathLike[str] = CHECKPOINT,
    noise_trained: bool = False,
) -> Setting:
    """Choose the setting that suits the data.

    With all 50 classes and the PANNs checkpoint it is the published one; otherwise a small network
    is trained. All 50 classes without the checkpoint are used as ESC-10, whose networks come with
    the project.

    Args:
        transform: ``"mel"`` or ``"stft"``.
        data: a folder in the layout of ESC-50; what :func:`data_root` finds if None.
        subset: ``"esc10"``; what suits the data if None.
        epochs: how many epochs to train; the setting's own number if None.
        clips: how many test clips to score; the setting's own number if None (all, or 10 of the
            synthetic set).
        checkpoint: where the PANNs checkpoint of Cnn14 would be.
        noise_trained: whether the network is the one that heard the study's noises in training.

    Raises:
        DatasetError: the folder is not in the layout of ESC-50.
        ArgumentError: a name is unknown, ``clips`` is below 1, or a subset of the synthetic set is
            asked for.

    >>> setting = choose_setting("mel", clips=2)
    >>> setting.transform, setting.scored
    ('mel', 2)
    """
    choose("transform", transform, TRANSFORMS)
    if clips is not None and clips < 1:
        raise ArgumentError(
            f"clips={clips}: score at least one test clip, or None for the setting's own number"
        )
    if subset is not None:
        choose("subset", subset, ["esc10"])
    root = data_root() if data is None else Path(data)
    if root is None:
        # Refuses a subset: the synthetic set has none.
        open_data(None, TEST_FOLDS, subset)
        setting = _synthetic_setting(transform)
    else:
        setting = _folder_setting(transform, root, subset, Path(checkpoint))
    fit = setting.fit if epochs is None else replace(setting.fit, epochs=epochs)
    scored = setting.scored if clips is None else clips
    return replace(setting, fit=fit, scored=scored, noise_trained=noise_trained)


def _synthetic_setting(transform: str) -> Setting:
    description = (
        f"Data: the synthetic set, 10 classes, since neither {VARIABLE} nor {USUAL_FOLDER} is "
        "there.\nNetwork: a small Cnn10, enough to try everything; its scores say nothing about "
        "real sounds."
    )
    return Setting(
        transform,
        root=None,
        subset=None,
        data="synthetic",
        network="Cnn10",
        base_channels=8,
        dropout=0.0,
        head_dropout=0.1,
        fit=FitSettings(epochs=18 if transform == "mel" else 12, learning_rate=5e-3),
        scored=SCORED_SYNTHETIC_CLIPS,
        description=description,
    )


def _folder_setting(transform: str, root: Path, subset: str | None, checkpoint: Path) -> Setting:
    classes = len(ESC50(root).labels)
    if subset is None and classes == 50 and checkpoint.is_file():
        return _published_setting(transform, root, checkpoint)
    if subset is None and classes in (10, 50) and _count_esc10_classes(root) == 10:
        subset = "esc10"
    if subset is None:
        # The name of the folder keeps the results of two folders apart.
        data = "own_" + "_".join(re.findall(r"\w+", root.resolve().name))
        title = f"{classes} classes"
    else:
        data, title = "esc10", "ESC-10, 10 classes"
    if transform == "mel":
        fit = FitSettings(averaging=0.99)
    else:
        fit = FitSettings(averaging=0.99, frequency_mask=32, time_mask=25)
    return Setting(
        transform,
        root,
        subset,
        data,
        network="Cnn10",
        base_channels=16,
        dropout=0.1,
        head_dropout=0.2,
        fit=fit,
        # So a quieter clip is the same to the network, see weights/README.md.
        level_range=100.0,
        description=f"Data: {title}, from {root.name}/.\nNetwork: a small Cnn10, trained from "
        f"random weights. The published setting, Cnn14, needs all of ESC-50 and {checkpoint}.",
    )


def _published_setting(transform: str, root: Path, checkpoint: Path) -> Setting:
    return Setting(
        transform,
        root,
        subset=None,
        data="esc50",
        network="Cnn14",
        base_channels=64,
        dropout=0.2,
        head_dropout=0.5,
        fit=PUBLISHED,
        checkpoint=checkpoint,
        description=f"Data: ESC-50, 50 classes, from {root.name}/.\n"
        f"Network: Cnn14 from {checkpoint.name}: the published setting.",
    )


def _count_esc10_classes(root: Path) -> int:
    """Count the folder's classes that belong to ESC-10; 0 if its table does not say."""
    try:
        return len(ESC50(root, subset="esc10").labels)
    except DatasetError:
        return 0
