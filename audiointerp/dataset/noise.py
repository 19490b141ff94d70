"""Background noise, from a recording or synthetic, mixed into the clips of any data set."""

import os
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import Dataset

from ..errors import ArgumentError, AudioError, choose
from ..processing import load_audio, normalized, save_audio
from ..util import make_folder
from .clip_dataset import ClipDataset, Target, recording_of, targets_of
from .in_memory import Joined
from .soundscape import horse, room, white
from .synthesis import one_thread

MAKERS = {"horse": horse, "room": room, "white": white}
NOISES = tuple(MAKERS)
LONGEST = 600.0
"""The longest synthetic noise, in seconds."""


class Contaminated(Dataset[tuple[Tensor, Target]]):
    """A data set with a noise mixed into each clip.

    Clip and noise are each divided by their root mean square, mixed ``ratio`` : ``1 - ratio``, and
    peak-normalised (the published protocol; 0.6 is a signal-to-noise ratio of 3.52 dB). The noise
    starts anew with each clip and is repeated if it is shorter. A silent clip becomes noise alone.

    Args:
        dataset: any data set of clips.
        noise: ``"horse"``, ``"room"``, ``"white"``, the path of a recording, or a sound
            ``(1, 1, L)`` at the data set's rate.
        ratio: the share of the clip's amplitude, in (0, 1].

    Raises:
        ArgumentError: ``ratio`` is out of range, or the noise is not one finite, non-silent sound.
        AudioError: the recording cannot be read; or, at an item, the part of the noise that is as
            long as the clip is silent.

    >>> from audiointerp.dataset import Synthetic
    >>> noisy = Contaminated(Synthetic((5,), sample_rate=8000, duration=3.0), "white")
    >>> noisy.clip_id(0), noisy[0][0].shape
    ('5-50000-A-0.wav', torch.Size([1, 24000]))
    """

    def __init__(
        self, dataset: ClipDataset, noise: str | os.PathLike[str] | Tensor, ratio: float = 0.6
    ) -> None:
        if not 0 < ratio <= 1:
            raise ArgumentError(f"ratio={ratio!r}: the share of the clip must be in (0, 1]")
        if isinstance(noise, str) and noise in NOISES:
            noise = synthetic_noise(noise, dataset.sample_rate)
        elif not isinstance(noise, Tensor):
            noise = load_audio(noise, dataset.sample_rate)
        is_one_sound = noise.ndim == 3 and noise.shape[:2] == (1, 1) and noise.shape[2] > 0
        if not is_one_sound or not noise.isfinite().all():
            raise ArgumentError(
                f"a noise is one finite mono sound (1, 1, L), not {tuple(noise.shape)}"
            )
        if not noise.any():
            raise ArgumentError("the noise is silent; give another one")
        self.dataset = dataset
        self.noise = noise[0].float()
        self.ratio = ratio
        self.sample_rate = dataset.sample_rate
        self.labels = dataset.labels

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> tuple[Tensor, Target]:
        wav, target = self.dataset[index]
        length = wav.shape[-1]
        repeats = -(-length // self.noise.shape[-1])
        noise = self.noise.repeat(1, repeats)[:, :length]
        if not noise.any():
            raise AudioError(
                f"the first {length / self.sample_rate:g} s of the noise are silent; cut them off"
            )
        mixed = self.ratio * normalized(wav, "rms") + (1 - self.ratio) * normalized(noise, "rms")
        return normalized(mixed, "peak"), target

    def clip_id(self, index: int) -> str:
        """The name of the clean clip in results."""
        return self.dataset.clip_id(index)

    def recording(self, index: int) -> str:
        """The recording that the clean clip was cut from."""
        return recording_of(self.dataset, index)

    def targets(self, index: int) -> tuple[int, ...]:
        """The numbers of the clean clip's classes."""
        return targets_of(self.dataset, index)


def clean_and_noisy(
    dataset: ClipDataset, noises: Sequence[str] = NOISES, *, ratio: float = 0.6, seed: int = 1
) -> Joined:
    """Return the clips of a data set, then all of them under each of several synthetic noises.

    A network that is trained on these has heard noise. It should be tested under a noise of another
    seed: ``noises/`` and the study's experiments have seed 0.

    Args:
        dataset: any data set of clips.
        noises: names in :data:`NOISES`, each once.
        ratio: the share of the clip's amplitude in a mixture, see :class:`Contaminated`.
        seed: of the synthetic noises.

    Raises:
        ArgumentError: a name is unknown or given twice, or there is none; ``ratio`` is out of
            range.

    >>> from audiointerp.dataset import Synthetic
    >>> clips = clean_and_noisy(Synthetic((1,), sample_rate=16000), ["white"])
    >>> len(clips), clips.clip_id(0), clips.clip_id(80)
    (160, '1/1-10000-A-0.wav', '2/1-10000-A-0.wav')
    """
    for name in noises:
        choose("noise", name, NOISES)
    if not noises or len(set(noises)) < len(noises):
        raise ArgumentError(f"noises={list(noises)!r}: give at least one, each once")
    rate = dataset.sample_rate
    noisy = [
        Contaminated(dataset, synthetic_noise(name, rate, seed=seed), ratio) for name in noises
    ]
    return Joined([dataset, *noisy])


def synthetic_noise(name: str, sample_rate: int, seconds: float = 5.0, seed: int = 0) -> Tensor:
    """Synthesise one of the three background noises, with a peak of 1.

    The noises repeat seamlessly. Use a recording where realism matters.

    Args:
        name: ``"white"`` (Gaussian), ``"room"`` (the hum and air flow of a fan, with a room's
            reverberation) or ``"horse"`` (a trot on gravel and a whinny).
        sample_rate: in Hz, at least 8000.
        seconds: the duration, 0.1 to 600; a number of samples with a large prime factor takes
            several times as long.
        seed: equal seeds give equal noises.

    Returns:
        ``(1, 1, L)`` float32.

    Raises:
        ArgumentError: the name is unknown, or the duration or rate is out of range.

    >>> synthetic_noise("room", 16000).shape
    torch.Size([1, 1, 80000])
    """
    choose("noise", name, NOISES)
    if not (0.1 <= seconds <= LONGEST and sample_rate >= 8000):
        raise ArgumentError(
            f"seconds={seconds!r}, sample_rate={sample_rate!r}: a synthetic noise needs 0.1 to "
            f"{LONGEST:g} s and at least 8000 Hz"
        )
    generator = torch.Generator().manual_seed(seed)
    with one_thread():
        sound = MAKERS[name](round(seconds * sample_rate), sample_rate, generator)
        return normalized(sound[None, None]).float()


made_noise = synthetic_noise
"""The old name of :func:`synthetic_noise`."""


def write_noises(out: str | os.PathLike[str], sample_rate: int = 32000) -> list[Path]:
    """Write the synthetic noises as 16-bit WAV files; their bytes are always those of ``noises/``.

    Args:
        out: the folder, created if missing.
        sample_rate: in Hz; ``noises/`` has the default.

    Returns:
        The paths of the files.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     [path.name for path in write_noises(folder, 8000)]
    ['horse.wav', 'room.wav', 'white.wav']
    """
    folder = make_folder(out)
    paths = [folder / f"{name}.wav" for name in NOISES]
    for path in paths:
        save_audio(path, synthetic_noise(path.stem, sample_rate), sample_rate, subtype="PCM_16")
    return paths
