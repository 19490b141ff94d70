"""Pictures. Every function draws into ``ax`` (a new figure's where None) and returns what it drew; none shows anything."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from torch import Tensor

from .processing import FLOOR, Spectrogram

if TYPE_CHECKING:
    from .fit import History
    from .predict import Interpretation

METHOD_TITLES = {"saliency": "Saliency", "gradcam": "Grad-CAM", "shap": "SHAP", "lime": "LIME"}
"""Of the methods of the study, as papers write them."""
RANGE = 80.0
"""Decibels below the loudest bin that a spectrogram shows."""


def spectrogram(spec: Spectrogram, ax: Axes | None = None, *, peak: float | None = None, title: str = "") -> AxesImage:
    """Levels in dB over time in seconds and frequency in kHz.

    Args:
        spec: of a single clip.
        ax: where to draw.
        peak: the level of the brightest colour, in dB, so that several pictures share one scale; the clip's own if None.
        title: above the picture.
    """
    peak = float(spec.db.max()) if peak is None else peak
    image = _grid(spec.db, spec, ax, title)
    image.set(cmap="magma", clim=(max(FLOOR, peak - RANGE), max(peak, FLOOR + 1)))
    return image


def attribution(values: Tensor, spec: Spectrogram, ax: Axes | None = None, *, title: str = "") -> AxesImage:
    """An attribution ``(1, 1, F, T)`` over the grey spectrogram: red spoke for the class, blue against it.

    The colours are symmetric about 0; a bin is as opaque as it is strong, up to the 99.5th percentile.
    """
    ax = ax or plt.subplots()[1]
    under = spectrogram(spec, ax)
    under.set_cmap("gray")
    grid = values[0, 0].detach().cpu().double().numpy()
    strongest = float(np.quantile(np.abs(grid), 0.995)) or float(np.abs(grid).max()) or 1.0
    image = _grid(values, spec, ax, title)
    image.set(cmap="RdBu_r", clim=(-strongest, strongest), alpha=np.clip(np.abs(grid) / strongest, 0, 1) ** 0.5)
    return image


def mask(values: Tensor, spec: Spectrogram, ax: Axes | None = None, *, title: str = "") -> AxesImage:
    """A mask ``(1, 1, F, T)``: black removes, white keeps."""
    image = _grid(values, spec, ax, title)
    image.set(cmap="gray", clim=(0, 1))
    return image


def kept_and_removed(interpretation: "Interpretation", axes: Any = None) -> list[AxesImage]:
    """The kept and the removed part side by side, on the clip's own colour scale."""
    if axes is None:
        axes = plt.subplots(1, 2, sharey=True, layout="constrained")[1]
    spec, made = interpretation.spectrogram, interpretation.mask
    peak = float(spec.db.max())
    return [
        spectrogram(spec.masked(made), axes[0], peak=peak, title="kept"),
        spectrogram(spec.masked(1 - made), axes[1], peak=peak, title="removed"),
    ]


def interpretation(result: "Interpretation", figure: Figure | None = None) -> Figure:
    """The clip, its attribution, the kept and the removed part, in one row."""
    figure = figure or plt.figure(figsize=(14, 3.2), layout="constrained")
    axes = figure.subplots(1, 4, sharey=True)
    likeliest = float(result.attribution.probs.max())
    spectrogram(result.spectrogram, axes[0], title=f"predicted {result.predicted} (p = {likeliest:.3f})")
    below = "\n" if result.against else " "  # a long question would touch its neighbours
    title = f"{result.attribution.method}: why {result.question}{below}(p = {result.scores['p']:.3f})"
    attribution(result.attribution.values, result.spectrogram, axes[1], title=title)
    kept_and_removed(result, axes[2:])
    axes[2].set_title(f"kept by {result.mask_name} (p = {result.scores['p_in']:.3f})")
    axes[3].set_title(f"removed (p = {result.scores['p_out']:.3f})")
    for ax in axes[1:]:
        ax.set_ylabel("")
    return figure


def comparison(results: Sequence["Interpretation"], units: Mapping[str, str], figure: Figure | None = None) -> Figure:
    """One clip explained by several methods, at the size of a page: a row for each, with colour bars.

    Args:
        results: of one clip and one mask.
        units: of the methods' attributions, by the methods' names.
        figure: where to draw; 7.2 in wide by default.
    """
    with plt.rc_context({"font.size": 7, "axes.titlesize": 8, "axes.linewidth": 0.5}):
        figure = figure or plt.figure(figsize=(7.2, 0.7 + 1.45 * len(results)), layout="constrained")
        axes = figure.subplots(len(results), 4, sharex=True, sharey=True, squeeze=False)
        for row, result in zip(axes, results, strict=True):
            shown = _compared(row, result)
            method = result.attribution.method
            bar = figure.colorbar(shown[1], ax=row[1], pad=0.02, aspect=14)
            strongest = shown[1].get_clim()[1]
            bar.set_ticks([-strongest, 0, strongest], labels=[f"−{strongest:.2g}", "0", f"{strongest:.2g}"])
            bar.ax.set_title(units[method], fontsize=6, loc="left", pad=3)
            row[0].set_ylabel(f"{METHOD_TITLES.get(method, method)}\nfrequency (kHz)")
        titles = ("spectrogram", "attribution", f"kept ({results[0].mask_name})", "removed")
        for ax, title in zip(axes[0], titles, strict=True):
            ax.set_title(title)
        for ax in axes.flat:
            ax.label_outer()
        level = figure.colorbar(shown[0], ax=axes, location="bottom", aspect=60, shrink=0.5, pad=0.02)
        level.set_label("level of spectrogram, kept and removed (dB)")
    return figure


def _compared(row: Any, result: "Interpretation") -> list[AxesImage]:
    """A row of :func:`comparison`; what the network thinks of each sound stands in its corner."""
    spec = result.spectrogram
    shown = [spectrogram(spec, row[0]), attribution(result.attribution.values, spec, row[1])]
    shown += kept_and_removed(result, row[2:])
    box = {"facecolor": "black", "alpha": 0.5, "linewidth": 0, "pad": 1}
    for ax, name in ((row[0], "p"), (row[2], "p_in"), (row[3], "p_out")):
        text = f"p = {result.scores[name]:.3f}"
        ax.text(0.97, 0.95, text, transform=ax.transAxes, ha="right", va="top", color="white", bbox=box)
    for ax in row:
        ax.set(title="", ylabel="")
    return shown


def learning_curves(history: "History", ax: Axes | None = None, *, label: str = "") -> list[Any]:
    """Validation accuracy over the epochs; a dot marks the epoch that was kept."""
    ax = ax or plt.subplots()[1]
    numbers = [epoch.number for epoch in history.epochs]
    lines = ax.plot(numbers, [epoch.valid_accuracy for epoch in history.epochs], label=label)
    best = history.best_epoch
    lines += ax.plot(best.number, best.valid_accuracy, "o", color=lines[0].get_color())
    ax.set(xlabel="epoch", ylabel="validation accuracy", ylim=(0, 1))
    return lines


def confusion(counts: Tensor, labels: tuple[str, ...], ax: Axes | None = None, *, title: str = "") -> AxesImage:
    """A confusion matrix ``(C, C)`` of clip counts: rows are true classes, columns predicted ones."""
    ax = ax or plt.subplots()[1]
    image = ax.imshow(counts.numpy(), cmap="Blues")
    ax.set_xticks(range(len(labels)), labels, rotation=60, ha="right")
    ax.set_yticks(range(len(labels)), labels)
    ax.set(xlabel="predicted", ylabel="true", title=title)
    if len(labels) <= 15:
        for (row, column), count in np.ndenumerate(counts.numpy()):
            if count:
                colour = "white" if count > counts.max() / 2 else "black"
                ax.text(column, row, str(count), ha="center", va="center", color=colour, fontsize=8)
    return image


def _grid(values: Tensor, spec: Spectrogram, ax: Axes | None, title: str) -> AxesImage:
    """One value a bin as an image with the spectrogram's axes."""
    ax = ax or plt.subplots()[1]
    transform = spec.transform
    bins, frames = values.shape[2:]
    seconds = frames * transform.hop_length / transform.sample_rate
    grid = values[0, 0].detach().cpu().numpy()
    image = ax.imshow(grid, origin="lower", aspect="auto", extent=(0, seconds, -0.5, bins - 0.5), interpolation="none")
    centres = transform.frequencies.numpy()
    marks = [hertz for hertz in (250, 500, 1000, 2000, 4000, 8000, 16000) if centres[0] <= hertz <= centres[-1]]
    evenly = bins > 1 and np.allclose(np.diff(centres), centres[1] - centres[0])
    if evenly:
        marks = list(range(0, int(centres[-1]) + 1, 2000))
    ax.set_yticks(np.interp(marks, centres, np.arange(bins)), [f"{hertz / 1000:g}" for hertz in marks])
    ax.set(xlabel="time (s)", ylabel="frequency (kHz)", title=title)
    return image
