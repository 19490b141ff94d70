"""The picture of a value per bin, on axes in seconds and kHz."""

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from torch import Tensor

from ..processing import Spectrogram
from .captions import tick_places


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
    ticks = tick_places(transform.frequencies.numpy())
    ax.set_yticks([place for place, _ in ticks], [label for _, label in ticks])
    ax.set(xlabel="time (s)", ylabel="frequency (kHz)")
    ax.set_title(title, parse_math=False)
    return image
