"""The picture of a value per bin, on axes in seconds and kHz."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from torch import Tensor

from ..processing import Spectrogram

_MEL_TICKS = (250, 500, 1000, 2000, 4000, 8000, 16000)
_LINEAR_TICK_STEP = 2000


def bin_image(values: Tensor, spec: Spectrogram, ax: Axes | None, title: str) -> AxesImage:
    """Draw values of a spectrogram's bins over time in seconds and frequency in kHz.

    Dollar signs in the title are no formula.

    Args:
        values: ``(1, 1, F, T)``; T may be smaller than that of the spectrogram.
        spec: the clip whose bins these are.
        ax: where to draw; of a new figure if None.
        title: title of the axes.

    >>> import torch
    >>> from ..processing import LogMel
    >>> spec = LogMel()(torch.randn(1, 1, 32000))
    >>> image = bin_image(spec.db, spec, None, "levels")
    >>> image.axes.get_xlabel(), image.axes.get_ylabel()
    ('time (s)', 'frequency (kHz)')
    """
    ax = ax or plt.subplots()[1]
    transform = spec.transform
    bins, frames = spec.db.shape[2:]
    seconds = frames * transform.hop_length / transform.sample_rate
    image = ax.imshow(
        values[0, 0].detach().cpu().numpy(),
        origin="lower",
        aspect="auto",
        extent=(0, seconds, -0.5, bins - 0.5),
        interpolation="none",
    )
    centres = transform.frequencies.numpy()
    ticks = _frequency_ticks(centres)
    labels = [f"{hertz / 1000:g}" for hertz in ticks]
    ax.set_yticks(np.interp(ticks, centres, np.arange(bins)), labels)
    ax.set(xlabel="time (s)", ylabel="frequency (kHz)")
    ax.set_title(title, parse_math=False)
    return image


def _frequency_ticks(centres: np.ndarray) -> list[int]:
    """Choose ticks in Hz for bins with these centre frequencies."""
    if len(centres) > 1 and np.allclose(np.diff(centres), centres[1] - centres[0]):
        return list(range(0, int(centres[-1]) + 1, _LINEAR_TICK_STEP))
    return [hertz for hertz in _MEL_TICKS if centres[0] <= hertz <= centres[-1]]
