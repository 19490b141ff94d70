"""The result of an explainer, and the quality figures that some methods add to it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ..util import table_html

LARGEST_SPREAD_OF_A_CONSTANT = 1e-6
"""As a share of the largest magnitude: float32 rounds by 6e-8."""


@dataclass(frozen=True, eq=False)
class Attribution:
    """How much each bin of the spectrogram supports the explained class.

    Attributes:
        values: ``(N, 1, F, T)``, signed; the unit depends on the method.
        target: ``(N,)``, the explained classes.
        probs: ``(N, C)``, the probabilities of the clips.
        method: the name of the explainer.
        info: further results of the method by name; tensors have N as their first axis. Methods on
            a layer give ``"layer"``, its name, and ``"grid"``, its cells in frequency and in time.
            ``"gradients"``, for a model of sounds and a method that takes gradients: whether they
            go through its ``"features"`` alone, through the ``"sound"``, or are of a ``"layer"``.
        against: ``(N,)``, the classes that the explained ones are compared with, or None.

    >>> Attribution(torch.zeros(1, 1, 2, 3), torch.tensor([4]), torch.full((1, 5), 0.2), "mine")
    Attribution(mine, values (1, 1, 2, 3), target [4])
    """

    values: Tensor
    target: Tensor
    probs: Tensor
    method: str
    info: Mapping[str, Any] = field(default_factory=dict)
    against: Tensor | None = None

    def __repr__(self) -> str:
        shape, target = tuple(self.values.shape), self.target.tolist()
        against = "" if self.against is None else f" against {self.against.tolist()}"
        return f"Attribution({self.method}, values {shape}, target {target}{against})"

    def _repr_html_(self) -> str:
        numbers = torch.arange(len(self.target))
        p = self.probs.cpu()[numbers, self.target.cpu()]
        rows: dict[str, object] = {
            "values": f"{tuple(self.values.shape)}, {self.values.min():.3g} to "
            f"{self.values.max():.3g}",
            "explained class": self.target.tolist(),
            "its p": ", ".join(f"{float(each):.3f}" for each in p),
        }
        if self.against is not None:
            rows["against class"] = self.against.tolist()
        if "layer" in self.info:
            rows["layer"] = f"{self.info['layer']}, grid {self.info['grid']}"
        if "gradients" in self.info:
            way = self.info["gradients"]
            rows["gradients"] = "of a layer" if way == "layer" else f"through the {way}"
        if is_constant(self.values):
            rows["note"] = "constant up to rounding: its masks mean nothing"
        return table_html(f"Attribution by {self.method}", rows)


def is_constant(values: Tensor) -> bool:
    """Return whether values are equal up to rounding, e.g. an attribution of digital silence.

    The order of such values means nothing: their range is at most 1e-6 of the largest magnitude.

    >>> is_constant(torch.tensor([1.0, 1.0 + 1e-7])), is_constant(torch.tensor([1.0, 1.001]))
    (True, False)
    """
    spread = values.max() - values.min()
    return bool(spread <= LARGEST_SPREAD_OF_A_CONSTANT * values.abs().max())


def additivity_gap(attribution: Attribution) -> float:
    """Return SHAP's additivity gap: the largest of an attribution's clips, NaN if undefined.

    >>> values, info = torch.zeros(1, 1, 2, 3), {"additivity_gap": torch.tensor([1e-5, 2e-5])}
    >>> attribution = Attribution(values, torch.tensor([0]), torch.ones(1, 2), "shap", info)
    >>> round(additivity_gap(attribution), 6)
    2e-05
    """
    gaps = _finite_info(attribution, "additivity_gap")
    return float(gaps.max()) if len(gaps) else float("nan")


def outside_share(attribution: Attribution) -> float:
    """Return the share of f(x) - E f(b) that SHAP's values miss, NaN if undefined.

    It lies in frames of padding, or in frames that another window of the clip owns.

    >>> values, info = torch.zeros(1, 1, 2, 3), {"outside": torch.tensor([0.25])}
    >>> outside_share(Attribution(values, torch.tensor([0]), torch.ones(1, 2), "shap", info))
    0.25
    """
    shares = _finite_info(attribution, "outside")
    return float(shares[0]) if len(shares) else float("nan")


def surrogate_fit(attribution: Attribution) -> float:
    """Return LIME's R²: the smallest over the windows of the clip, NaN if undefined.

    >>> values, info = torch.zeros(1, 1, 2, 3), {"surrogate_r2": torch.tensor([0.75, 0.5])}
    >>> surrogate_fit(Attribution(values, torch.tensor([0]), torch.ones(1, 2), "lime", info))
    0.5
    """
    fits = _finite_info(attribution, "surrogate_r2")
    return float(fits.min()) if len(fits) else float("nan")


def noise_share(attribution: Attribution) -> float:
    """Return the share of a map's variance that is noise of its random masks, at most over windows.

    NaN for methods that do not say it.

    >>> values, info = torch.zeros(1, 1, 2, 3), {"noise_share": torch.tensor([0.25, 0.5])}
    >>> noise_share(Attribution(values, torch.tensor([0]), torch.ones(1, 2), "rise", info))
    0.5
    """
    shares = _finite_info(attribution, "noise_share")
    return float(shares.max()) if len(shares) else float("nan")


def explainer_batch(attribution: Attribution) -> float:
    """Return the smallest batch size that the method used, NaN if it does not choose one.

    >>> values, info = torch.zeros(1, 1, 2, 3), {"batch": torch.tensor([16, 8])}
    >>> explainer_batch(Attribution(values, torch.tensor([0]), torch.ones(1, 2), "lime", info))
    8.0
    """
    batches = _finite_info(attribution, "batch")
    return float(batches.min()) if len(batches) else float("nan")


def _finite_info(attribution: Attribution, name: str) -> Tensor:
    entries: Tensor = attribution.info.get(name, torch.empty(0))
    return entries[entries.isfinite()]
