"""Front ends that the tests of transforms share, by name, their noise, and torchaudio's values."""

import math

import torch
import torchaudio

from audiointerp.processing.spectrogram import LogMel, LogSTFT
from audiointerp.processing.tapers import TAPERS
from audiointerp.util import FLOOR

DB = 1e-3
RATE = 16000
LN_TO_DB = 10 / math.log(10)
BASE = (RATE, 512, 160)
OPTIONS = {
    "win_length": {"win_length": 400},
    "an odd window": {"win_length": 401},
    **{f"window {name}": {"window": name} for name in TAPERS},
    "short povey": {"win_length": 400, "window": "povey"},
    "not centred": {"center": False},
    "not centred, short": {"center": False, "win_length": 400, "window": "hamming"},
    "zeros": {"padding": "zeros"},
    "magnitude": {"power": 1},
    "pre-emphasis": {"preemphasis": 0.97},
    "all": {
        "win_length": 400,
        "window": "hamming_symmetric",
        "center": False,
        "power": 1,
        "preemphasis": 0.95,
    },
}
STFTS = {name: LogSTFT(*BASE, **kwargs) for name, kwargs in OPTIONS.items()}
MELS = {name: LogMel(*BASE, 40, 0.0, None, **kwargs) for name, kwargs in OPTIONS.items()}
ALL = [*STFTS.values(), *MELS.values()]
ALL_IDS = [*[f"stft {name}" for name in STFTS], *[f"mel {name}" for name in MELS]]


def noise(length, seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(1, 1, length, generator=generator, dtype=torch.float64)


def torch_window(name):
    """The window of torchaudio's transforms, without our code."""
    if name == "povey":
        return lambda length: torch_window("hann_symmetric")(length) ** 0.85
    if name == "rectangular":
        return lambda length: torch.ones(length, dtype=torch.float64)
    kind, _, symmetric = name.partition("_")
    window = getattr(torch, f"{kind}_window")
    return lambda length: window(length, periodic=not symmetric, dtype=torch.float64)


def torchaudio_kwargs(transform):
    return {
        "n_fft": transform.n_fft,
        "hop_length": transform.hop_length,
        "win_length": transform.win_length,
        "window_fn": torch_window(transform.window),
        "center": transform.center,
        "pad_mode": {"reflect": "reflect", "zeros": "constant"}[transform.padding],
        "power": transform.power,
    }


def torchaudio_values(transform, wav):
    """What torchaudio's transform gives, before any logarithm."""
    if transform.preemphasis:
        wav = torchaudio.functional.preemphasis(wav, transform.preemphasis)
    kwargs = torchaudio_kwargs(transform)
    if not isinstance(transform, LogMel):
        return torchaudio.transforms.Spectrogram(**kwargs)(wav)
    theirs = torchaudio.transforms.MelSpectrogram(
        transform.sample_rate,
        n_mels=transform.n_mels,
        f_min=transform.f_min,
        f_max=transform.f_max,
        mel_scale=transform.mel_scale,
        norm="slaney" if transform.mel_norm == "slaney" else None,
        **kwargs,
    )
    return theirs.double()(wav)


def torchaudio_db(transform, wav):
    kind = "power" if transform.power == 2 else "magnitude"
    values = torchaudio_values(transform, wav)
    return torchaudio.transforms.AmplitudeToDB(kind)(values).clamp_min(FLOOR)
