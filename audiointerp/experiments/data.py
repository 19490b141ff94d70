"""The clips of an experiment, and the background that SHAP compares them with."""

import os
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from ..dataset import (
    ESC50,
    ClipDataset,
    Synthetic,
    only_target,
    sound_files,
    targets_of,
)
from ..errors import ArgumentError
from ..model import Classifier
from ..processing import Transform, fix_length, load_audio


def open_data(
    root: str | os.PathLike[str] | None,
    folds: Sequence[int],
    subset: str | None = None,
    *,
    sample_rate: int = 32000,
    duration: float = 5.0,
    normalize: str = "peak",
) -> ClipDataset:
    """Folds of ESC-50, or of a folder in its layout; of the synthetic clips if ``root`` is None.

    Args:
        root: the data folder.
        folds: the numbers of the folds.
        subset: ``"esc10"`` for the ten classes of ESC-10; None for all.
        sample_rate: in Hz; clips at another rate are resampled.
        duration: of each clip, in seconds.
        normalize: of each clip, see ``load_audio``; synthetic clips are as they are.

    Raises:
        ArgumentError: a subset is given without a data folder.
        DatasetError: the folder does not hold such a data set.

    >>> len(open_data(None, folds=(1, 2)))
    160
    """
    if root is None:
        if subset is not None:
            raise ArgumentError(
                f"subset {subset!r} needs a data folder: the synthetic clips have no subsets"
            )
        return Synthetic(folds, sample_rate=sample_rate, duration=duration)
    form = {"sample_rate": sample_rate, "duration": duration, "normalize": normalize}
    return ESC50(root, folds, subset, **form)  # type: ignore[arg-type]


def target_of(dataset: ClipDataset, index: int) -> int:
    """The target of a clip with one class, without decoding it if the data set keeps its targets.

    Raises:
        DatasetError: the clip has several classes, or none.

    >>> from audiointerp.dataset import Contaminated
    >>> target_of(Contaminated(Synthetic((5,)), "white"), 79)
    9
    """
    return only_target(dataset, index, targets_of(dataset, index))


def background_of(
    dataset: ClipDataset, transform: Transform, per_class: int = 2, seed: int = 0
) -> Tensor:
    """A background for SHAP: ``per_class`` clips of each class, drawn at random.

    Args:
        dataset: the training clips.
        transform: the classifier's transform.
        per_class: the number of clips per class.
        seed: of the draw.

    Returns:
        Features ``(classes * per_class, 1, F, T)``, in the order of the classes.

    Raises:
        ArgumentError: a class has fewer clips.

    >>> from audiointerp.dataset import Synthetic
    >>> from audiointerp.processing import LogMel
    >>> background_of(Synthetic((1,), duration=3.0), LogMel(), per_class=1).shape
    torch.Size([10, 1, 64, 301])
    """
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(dataset), generator=generator).tolist()
    drawn: dict[int, list[int]] = {target: [] for target in range(len(dataset.labels))}
    for index in order:
        if all(len(indices) == per_class for indices in drawn.values()):
            break
        for target in targets_of(dataset, index):
            if len(drawn[target]) < per_class:
                drawn[target].append(index)
    for target, indices in drawn.items():
        if len(indices) < per_class:
            raise ArgumentError(
                f"background: class {dataset.labels[target]} has {len(indices)} of the "
                f"{per_class} clips needed; give a smaller per_class, more clips, or a background "
                f"of your own"
            )
    clips = [dataset[index][0] for indices in drawn.values() for index in indices]
    return torch.cat([transform(wav[None]).db for wav in clips])


def background_of_folder(folder: str | os.PathLike[str], classifier: Classifier) -> Tensor:
    """A background for SHAP: the sound files of a folder, cut or padded to the classifier's length.

    Returns:
        Features ``(files, 1, F, T)``.

    Raises:
        ArgumentError: the folder is missing or holds no sound file.

    >>> import tempfile
    >>> from audiointerp.model import Cnn6
    >>> from audiointerp.processing import LogMel, save_audio
    >>> classifier = Classifier(Cnn6(2, base_channels=4), LogMel(), ["a", "b"], duration=1.0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_audio(Path(folder) / "noise.wav", torch.rand(1, 1, 32000) - 0.5, 32000)
    ...     background_of_folder(folder, classifier).shape
    torch.Size([1, 1, 64, 101])
    """
    folder = Path(folder)
    paths = sound_files(folder) if folder.is_dir() else []
    if not paths:
        raise ArgumentError(f"background {folder}: no such folder, or no sound file in it")
    length = round(classifier.duration * classifier.sample_rate)
    levels = []
    for path in paths:
        wav = load_audio(path, classifier.sample_rate, normalize=classifier.normalize)
        levels.append(classifier.transform(fix_length(wav, length)).db)
    return torch.cat(levels)
