"""In pictures of parts, what a part lacks is grey, and silence that it keeps is black."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from audiointerp.display import plot
from audiointerp.processing import LogMel


@pytest.mark.parametrize("fill", ["silence", "background"])
def test_what_a_part_lacks_is_grey(fill):
    sound = torch.randn(1, 1, 64000, generator=torch.manual_seed(0))
    sound[..., 32000:] = 0
    spec = LogMel()(sound)
    low = torch.zeros_like(spec.db)
    low[..., :32, :] = 1
    figure = Figure(figsize=(8, 4), dpi=50)
    axes = figure.subplots(1, 2)
    plot.kept_and_removed(SimpleNamespace(spectrogram=spec, mask=low, fill=fill), axes)
    # Bands 16 and 48 of 64 (kept and removed), in the noise (.5 s) and in the silence (1.7 s).
    kept_noise, kept_silence, lacking_noise, lacking_silence = (
        pixel(figure, axes[0], seconds, band) for band in (16, 48) for seconds in (0.5, 1.7)
    )
    assert np.ptp(kept_noise) > 50, "the colours of the spectrogram"
    assert kept_silence.max() < 10, "black"
    for grey in (lacking_noise, lacking_silence):
        assert np.ptp(grey) < 3
        assert 120 < grey[0] < 240
    assert np.ptp(pixel(figure, axes[1], 0.5, 48)) > 50
    assert np.ptp(pixel(figure, axes[1], 0.5, 16)) < 3


def pixel(figure, ax, seconds, band):
    """The colour (red, green, blue) at a place of an axes, 0 to 255."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    x, y = ax.transData.transform((seconds, band))
    picture = np.asarray(canvas.buffer_rgba())
    return picture[picture.shape[0] - int(y), int(x), :3].astype(int)
