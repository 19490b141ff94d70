"""Figures of spectrograms, attributions, masks and training.

Every function draws into ``ax`` (of a new figure if None), returns what it drew, and does not
show it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from torch import Tensor

from ..fit import History
from ..processing import Spectrogram
from ..scoring import ExplainedClip
from ..util import FLOOR
from .bin_image import bin_image
from .captions import RANGE, is_long, time_labels, titles
from .fewer_frames import in_columns
from .method_titles import METHOD_TITLES
from .still import strongest_of


def spectrogram(
    spec: Spectrogram, ax: Axes | None = None, *, peak: float | None = None, title: str = ""
) -> AxesImage:
    """Draw levels in dB over time in seconds and frequency in kHz.

    Args:
        spec: a single clip.
        ax: where to draw.
        peak: level of the brightest colour in dB, so that several images share one scale; the
            clip's largest level if None.
        title: title of the axes.

    >>> import torch
    >>> from ..processing import LogMel
    >>> spec = LogMel()(torch.randn(1, 1, 32000))
    >>> spectrogram(spec, Figure().subplots()).get_array().shape
    (64, 101)
    """
    peak = float(spec.db.max()) if peak is None else peak
    image = bin_image(in_columns(spec.db, "loudest"), spec, ax, title)
    image.set(cmap="magma", clim=(max(FLOOR, peak - RANGE), max(peak, FLOOR + 1)))
    return image


def attribution(
    values: Tensor, spec: Spectrogram, ax: Axes | None = None, *, title: str = ""
) -> AxesImage:
    """Draw an attribution over the grey spectrogram: red supports the class, blue contradicts it.

    Colours are symmetric about 0. Opacity grows with the absolute value, up to the 99.5th
    percentile.

    Args:
        values: ``(1, 1, F, T)``.
        spec: the explained clip.
        ax: where to draw.
        title: title of the axes.

    >>> import torch
    >>> from ..processing import LogMel
    >>> spec = LogMel()(torch.randn(1, 1, 32000))
    >>> image = attribution(spec.db, spec, Figure().subplots())
    >>> image.get_clim()[0] == -image.get_clim()[1]
    True
    """
    ax = ax or plt.subplots()[1]
    background = spectrogram(spec, ax)
    background.set_cmap("gray")
    values = in_columns(values, "strongest")
    magnitude = np.abs(values[0, 0].detach().cpu().double().numpy())
    strongest = strongest_of(magnitude)
    opacity = np.clip(magnitude / strongest, 0, 1) ** 0.5
    image = bin_image(values, spec, ax, title)
    image.set(cmap="RdBu_r", clim=(-strongest, strongest), alpha=opacity)
    return image


def mask(
    values: Tensor, spec: Spectrogram, ax: Axes | None = None, *, title: str = ""
) -> AxesImage:
    """Draw a mask ``(1, 1, F, T)``: white bins are kept, black bins are removed.

    >>> import torch
    >>> from ..processing import LogMel
    >>> spec = LogMel()(torch.randn(1, 1, 32000))
    >>> mask(torch.ones_like(spec.db), spec, Figure().subplots()).get_clim()
    (0.0, 1.0)
    """
    image = bin_image(in_columns(values, "mean"), spec, ax, title)
    image.set(cmap="gray", clim=(0, 1))
    return image


def kept_and_removed(interpretation: ExplainedClip, axes: Any = None) -> list[AxesImage]:
    """Draw the kept and the removed part side by side, on the colour scale of the whole clip.

    What a part lacks is grey, so that it is not taken for silence of the clip.

    Args:
        interpretation: of :func:`~audiointerp.predict.interpret`.
        axes: two axes; those of a new figure if None.

    >>> import torch, audiointerp as ai
    >>> classifier = ai.Classifier(ai.Cnn6(2, base_channels=2), ai.LogMel(), ["dog", "rain"])
    >>> result = ai.interpret(classifier, torch.randn(1, 1, 32000), "saliency")
    >>> kept, removed = kept_and_removed(result, Figure().subplots(1, 2))
    >>> kept.get_clim() == removed.get_clim()
    True
    """
    if axes is None:
        axes = plt.subplots(1, 2, sharey=True, layout="constrained")[1]
    spec = interpretation.spectrogram
    kept = _part(spec, interpretation.mask, interpretation.fill, axes[0], "kept")
    removed = _part(spec, 1 - interpretation.mask, interpretation.fill, axes[1], "removed")
    return [kept, removed]


def _part(spec: Spectrogram, mask: Tensor, fill: str, ax: Axes, title: str) -> AxesImage:
    """Draw a part of a clip on the clip's scale, under a grey picture of what it lacks."""
    peak = float(spec.db.max())
    image = spectrogram(spec.masked(mask, fill=fill), ax, peak=peak, title=title)
    visible = spec.db.clamp(min=peak - RANGE)
    lacking = bin_image(in_columns(visible, "loudest"), spec, ax, title)
    # Grey to white: the levels stay visible, and silence that is kept remains black.
    lacking.set(cmap="gray", clim=(peak - 4 * RANGE, peak + RANGE / 4))
    lacking.set_alpha(1 - in_columns(mask, "mean")[0, 0].detach().cpu().double().numpy())
    return image


def interpretation(result: ExplainedClip, figure: Figure | None = None) -> Figure:
    """Draw the clip, its attribution, the kept and the removed part; long clips below each other.

    Below a class activation map stand its layer and the mean size of the layer's cells.

    Args:
        result: of :func:`~audiointerp.predict.interpret`.
        figure: where to draw; a new one if None.

    >>> import torch, audiointerp as ai
    >>> classifier = ai.Classifier(ai.Cnn6(2, base_channels=2), ai.LogMel(), ["dog", "rain"])
    >>> result = ai.interpret(classifier, torch.randn(1, 1, 32000), "saliency")
    >>> len(interpretation(result, Figure()).axes)
    4
    """
    spec, stacked = result.spectrogram, is_long(result)
    size, grid = ((14, 11), (4, 1)) if stacked else ((14, 3.2), (1, 4))
    figure = figure or plt.figure(figsize=size, layout="constrained")
    axes = figure.subplots(*grid, sharex=stacked, sharey=not stacked)
    clip, explained, kept, removed = titles(result)
    spectrogram(spec, axes[0], title=clip)
    attribution(result.attribution.values, spec, axes[1], title=explained)
    kept_and_removed(result, axes[2:])
    # Two probabilities and their labels are as wide as the axes only in a smaller font.
    axes[2].set_title(kept, fontsize=10, parse_math=False)
    axes[3].set_title(removed, fontsize=10, parse_math=False)
    for ax, label in zip(axes, time_labels(result), strict=True):
        ax.set_xlabel(label)
    for ax in () if stacked else axes[1:]:
        ax.set_ylabel("")
    return figure


def comparison(
    results: Sequence[ExplainedClip], units: Mapping[str, str], figure: Figure | None = None
) -> Figure:
    """Draw one clip explained by several methods, a row for each, at the width of a page.

    Args:
        results: interpretations of one clip, all with one mask.
        units: unit of the attributions, by method name.
        figure: where to draw; a new one 7.2 inches wide if None.

    >>> import torch, audiointerp as ai
    >>> classifier = ai.Classifier(ai.Cnn6(2, base_channels=2), ai.LogMel(), ["dog", "rain"])
    >>> result = ai.interpret(classifier, torch.randn(1, 1, 32000), "saliency")
    >>> figure = comparison([result], {"saliency": "per dB"}, Figure())
    >>> [ax.get_title() for ax in figure.axes[:4]]
    ['spectrogram', 'attribution', 'kept (topK_30)', 'removed']
    """
    with plt.rc_context({"font.size": 7, "axes.titlesize": 8, "axes.linewidth": 0.5}):
        if figure is None:
            figure = plt.figure(figsize=(7.2, 0.7 + 1.45 * len(results)), layout="constrained")
        axes = figure.subplots(len(results), 4, sharex=True, sharey=True, squeeze=False)
        for row, result in zip(axes, results, strict=True):
            spectrogram_image, attribution_image = _comparison_row(row, result)
            method = result.attribution.method
            bar = figure.colorbar(attribution_image, ax=row[1], pad=0.02, aspect=14)
            strongest = attribution_image.get_clim()[1]
            labels = [f"−{strongest:.2g}", "0", f"{strongest:.2g}"]
            bar.set_ticks([-strongest, 0, strongest], labels=labels)
            bar.ax.set_title(units[method], fontsize=6, loc="left", pad=3)
            row[0].set_ylabel(f"{METHOD_TITLES.get(method, method)}\nfrequency (kHz)")
        titles = ("spectrogram", "attribution", f"kept ({results[0].mask_name})", "removed")
        for ax, title in zip(axes[0], titles, strict=True):
            ax.set_title(title)
        for ax in axes.flat:
            ax.label_outer()
        level_bar = figure.colorbar(
            spectrogram_image, ax=axes, location="bottom", aspect=60, shrink=0.5, pad=0.02
        )
        level_bar.set_label("level of spectrogram, kept and removed (dB)")
    return figure


def _comparison_row(row: Any, result: ExplainedClip) -> tuple[AxesImage, AxesImage]:
    """Draw a row of :func:`comparison`, with p of each sound in its corner."""
    spec = result.spectrogram
    spectrogram_image = spectrogram(spec, row[0])
    attribution_image = attribution(result.attribution.values, spec, row[1])
    kept_and_removed(result, row[2:])
    box = {"facecolor": "black", "alpha": 0.5, "linewidth": 0, "pad": 1}
    corner = {"ha": "right", "va": "top", "color": "white", "bbox": box}
    for ax, name in ((row[0], "p"), (row[2], "p_in"), (row[3], "p_out")):
        text = f"p of the sound {result.heard[name]:.3f}"
        ax.text(0.97, 0.95, text, transform=ax.transAxes, **corner)
    for ax in row:
        ax.set(title="", ylabel="")
    return spectrogram_image, attribution_image


def learning_curves(history: History, ax: Axes | None = None, *, label: str = "") -> list[Any]:
    """Draw validation accuracy over epochs; a dot marks the epoch that was kept.

    >>> from ..fit import Epoch
    >>> history = History((Epoch(1, 0.7, 0.7, 0.5, 1.0),), best=1)
    >>> len(learning_curves(history, Figure().subplots()))
    2
    """
    ax = ax or plt.subplots()[1]
    numbers = [epoch.number for epoch in history.epochs]
    lines = ax.plot(numbers, [epoch.valid_accuracy for epoch in history.epochs], label=label)
    best = history.best_epoch
    lines += ax.plot(best.number, best.valid_accuracy, "o", color=lines[0].get_color())
    ax.set(xlabel="epoch", ylabel="validation accuracy", ylim=(0, 1))
    return lines


def confusion(
    counts: Tensor, labels: tuple[str, ...], ax: Axes | None = None, *, title: str = ""
) -> AxesImage:
    """Draw a confusion matrix ``(C, C)`` of clip counts: rows true, columns predicted classes.

    >>> import torch
    >>> image = confusion(torch.tensor([[3, 0], [1, 2]]), ("dog", "rain"), Figure().subplots())
    >>> [text.get_text() for text in image.axes.texts]
    ['3', '1', '2']
    """
    ax = ax or plt.subplots()[1]
    image = ax.imshow(counts.numpy(), cmap="Blues")
    ax.set_xticks(range(len(labels)), labels, rotation=60, ha="right", parse_math=False)
    ax.set_yticks(range(len(labels)), labels, parse_math=False)
    ax.set(xlabel="predicted", ylabel="true", title=title)
    # With more classes the numbers would overlap.
    if len(labels) <= 15:
        for (row, column), count in np.ndenumerate(counts.numpy()):
            if count:
                colour = "white" if count > counts.max() / 2 else "black"
                ax.text(column, row, str(count), ha="center", va="center", color=colour, fontsize=8)
    return image
