"""The picture of one mixture: where its sources are, and what the maps say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure
from torch import Tensor

from ..processing import Spectrogram
from ..scoring import Truth
from . import plot


@dataclass(frozen=True, eq=False)
class LocalisedClass:
    """One explained class of a mixture.

    Attributes:
        label: its name.
        p: its probability in the mixture.
        truth: where its source is.
        maps: maps ``(1, 1, F, T)`` by name.
        contrasts: the contrast of each map, by the same names.

    >>> truth = Truth(torch.ones(1, 1, 2, 3, dtype=torch.bool), torch.ones(1, 1, 2, 3).bool())
    >>> LocalisedClass("dog", 0.5, truth, {}, {}).label
    'dog'
    """

    label: str
    p: float
    truth: Truth
    maps: Mapping[str, Tensor]
    contrasts: Mapping[str, float]


def localisation_figure(
    spectrogram: Spectrogram, classes: Sequence[LocalisedClass], figure: Figure | None = None
) -> Figure:
    """Draw a mixture, and for each explained class a row with the truth and the maps.

    Of the truth, red are the bins of the explained source, blue those where only others are
    audible or louder. Maps are shown by their ranks within the clip, red the highest, so that all
    have one scale.

    Args:
        spectrogram: of the mixture.
        classes: its explained classes, with the same maps.
        figure: where to draw; a new one if None.

    >>> import torch
    >>> from ..processing import LogMel
    >>> spec = LogMel()(torch.randn(1, 1, 32000))
    >>> truth = Truth(spec.db > -20, spec.db > -60)
    >>> label = LocalisedClass("dog", 0.5, truth, {"level": spec.db}, {"level": 0.5})
    >>> [ax.get_title() for ax in localisation_figure(spec, [label], Figure()).axes]
    ['dog, p 0.50', 'its bins', 'level (0.50)']
    """
    columns = 2 + len(classes[0].maps)
    with plt.rc_context({"font.size": 8, "axes.titlesize": 8, "axes.linewidth": 0.5}):
        if figure is None:
            size = (2.1 * columns, 0.5 + 1.7 * len(classes))
            figure = Figure(figsize=size, layout="constrained")
        axes = figure.subplots(len(classes), columns, sharex=True, sharey=True, squeeze=False)
        for row, explained in zip(axes, classes, strict=True):
            title = f"{explained.label}, p {explained.p:.2f}"
            plot.spectrogram(spectrogram, row[0], title=title)
            signs = explained.truth.source.double() * 2 - 1
            sides = torch.where(explained.truth.audible, signs, 0.0)
            plot.attribution(sides, spectrogram, row[1], title="its bins")
            for ax, (name, values) in zip(row[2:], explained.maps.items(), strict=True):
                ranks = values.flatten().argsort().argsort().view(values.shape)
                centred = 2 * ranks.double() / max(1, values.numel() - 1) - 1
                title = f"{name} ({explained.contrasts[name]:.2f})"
                plot.attribution(centred, spectrogram, ax, title=title)
        for ax in axes.flat:
            ax.label_outer()
    return figure
