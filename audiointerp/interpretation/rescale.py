"""DeepLIFT's rescale rule (Shrikumar et al., ICML 2017), one backward pass per background clip.

shap runs each clip and each background clip together, forward and backward, although their forward
passes do not depend on each other and only one half of the gradients is used. Here the background's
forward pass is kept for all clips, a clip's is run once, and a backward pass computes the gradients
with respect to the background alone. The values are those of ``shap.DeepExplainer``.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from ..util import folded, network_logits, right_batch_norm_gradients
from .rescale_modules import RESCALED, SPARING, Rescaled

LINEAR = (
    nn.Conv1d,
    nn.Conv2d,
    nn.Conv3d,
    nn.Linear,
    nn.AvgPool1d,
    nn.AvgPool2d,
    nn.AvgPool3d,
    nn.AdaptiveAvgPool1d,
    nn.AdaptiveAvgPool2d,
    nn.AdaptiveAvgPool3d,
    nn.BatchNorm1d,
    nn.BatchNorm2d,
    nn.BatchNorm3d,
    nn.modules.dropout._DropoutNd,
    nn.Identity,
    nn.Flatten,
)
"""Modules through which multipliers pass as gradients do, in evaluation mode."""
BUDGET = 4 * 2**30
"""Bytes that the background's forward pass may keep; what needs more is computed again."""

AGREEMENT = 1e-4
"""The largest difference of a logit of the copy, as a share of the largest |logit|."""


@dataclass(frozen=True, eq=False)
class _Batch:
    """Some background clips with their forward pass.

    Attributes:
        clips: ``(B, 1, F, T)``, which the gradients are of.
        logits: ``(B, C)``, with their graph.
        bytes: what the graph keeps.
    """

    clips: Tensor
    logits: Tensor
    bytes: int


class RescaleRule:
    """A network's multipliers between a background and any clips.

    Args:
        network: in evaluation mode; its modules are such as :func:`can_rescale` takes, each
            nonlinear one is used once, and there are no other nonlinear operations. It is copied.
        background: features ``(B, 1, F, T)``.
        batch: background clips per forward and backward pass.
        budget: bytes that the background's forward pass may keep.
        output: what the outputs are, see :data:`~audiointerp.util.OUTPUTS`.

    >>> network = nn.Sequential(nn.Flatten(), nn.Linear(6, 2), nn.ReLU())
    >>> background, clip = torch.zeros(4, 1, 2, 3), torch.ones(1, 1, 2, 3)
    >>> rule = RescaleRule(network, background)
    >>> values, expected = rule.explain(clip, lambda logits: logits[:, 0])
    >>> bool(torch.allclose(values.sum() + expected, network(clip)[0, 0], atol=1e-6))
    True
    """

    def __init__(
        self,
        network: nn.Module,
        background: Tensor,
        batch: int = 10,
        budget: int = BUDGET,
        output: str = "softmax",
    ) -> None:
        self.network = _rescaled_copy(network, background[:1])
        self.background, self.batch, self.budget = background, batch, budget
        self.output = output
        self._kept: list[_Batch] = []
        self._recorded: Tensor | None = None

    def fits(self, clip: Tensor, logits: Tensor, batch: int, output: str) -> bool:
        """Return whether the copy is still what the network is: it gives the clip's logits."""
        settings = (clip.device, clip.dtype, batch, output)
        if settings != (self.background.device, self.background.dtype, self.batch, self.output):
            return False
        difference = (self.logits(clip) - logits).abs().max()
        return bool(difference <= AGREEMENT * logits.abs().max())

    def logits(self, clip: Tensor) -> Tensor:
        """Return the copy's logits ``(1, C)`` of a clip, which is the one explained next."""
        self._recorded = clip
        return self._record(clip)

    def explain(self, clip: Tensor, chosen: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
        """Explain a function of the logits.

        Args:
            clip: features ``(1, 1, F, T)``.
            chosen: from logits ``(B, C)`` to the explained score ``(B,)``, a linear function.

        Returns:
            The values ``(1, 1, F, T)``, and the mean of the score over the background.
        """
        # Most often the last forward pass was this clip's, see fits.
        if self._recorded is not clip:
            self.logits(clip)
        self._recorded = None
        values = torch.zeros_like(clip)
        expected = clip.new_zeros(())
        count = len(self.background)
        for number, clips in enumerate(self.background.split(self.batch)):
            part = self._forward(number, clips)
            with torch.enable_grad():
                scores = chosen(part.logits)
            with right_batch_norm_gradients(self.network):
                (multipliers,) = torch.autograd.grad(scores.sum(), part.clips, retain_graph=True)
            changes = clip - part.clips.detach()
            values += (multipliers * changes).sum(0, keepdim=True) / count
            expected += scores.detach().sum() / count
        return values, expected

    def _forward(self, number: int, clips: Tensor) -> _Batch:
        """Return a batch of the background, kept from an earlier clip if memory sufficed."""
        if number < len(self._kept):
            return self._kept[number]
        try:
            self._run_alone(clips)
            part = _run(self.network, clips, self.output)
        finally:
            for module in self._nonlinear():
                module.alone = None
        kept_bytes = sum(kept.bytes for kept in self._kept)
        if number == len(self._kept) and kept_bytes + part.bytes <= self.budget:
            self._kept.append(part)
        return part

    def _run_alone(self, clips: Tensor) -> None:
        """Give each nonlinear module its input of some clips, each computed alone.

        So is a clip that is explained. In a batch, sums are rounded otherwise, and where clip and
        background are equal, as in digital silence, max pooling would take that for a change.
        """
        modules = self._nonlinear()
        explained = [module.clip for module in modules]
        inputs: list[list[Tensor]] = [[] for _ in modules]
        for clip in clips.split(1):
            self._record(clip)
            for module, kept_inputs in zip(modules, inputs, strict=True):
                # A module may be used for some clips only, or for none.
                kept_inputs += module.clip[:1]
                module.clip = ()
        for module, clip_seen, kept_inputs in zip(modules, explained, inputs, strict=True):
            module.clip = clip_seen
            module.alone = torch.cat(kept_inputs) if kept_inputs else None
            kept_inputs.clear()

    def _record(self, clip: Tensor) -> Tensor:
        """Return a clip's logits; each nonlinear module keeps what it has seen."""
        self._set_recording(True)
        try:
            with torch.no_grad():
                return network_logits(self.network, clip, self.output)
        finally:
            self._set_recording(False)

    def _set_recording(self, is_recording: bool) -> None:
        for module in self._nonlinear():
            module.is_recording = is_recording

    def _nonlinear(self) -> list[Rescaled]:
        return [module for module in self.network.modules() if isinstance(module, Rescaled)]


def can_rescale(network: nn.Module) -> bool:
    """Return whether all modules of a network are linear, or in :data:`RESCALED`.

    >>> can_rescale(nn.Sequential(nn.Linear(2, 2), nn.ReLU())), can_rescale(nn.Sigmoid())
    (True, False)
    """
    leaves = [module for module in network.modules() if not module._modules]
    return all(isinstance(module, LINEAR) or type(module) in RESCALED for module in leaves)


def _rescaled_copy(network: nn.Module, example: Tensor) -> nn.Module:
    """Return a copy with folded batch normalisation, and with the rule in its nonlinear modules."""
    twin = folded(network, example)
    if twin is None:
        twin = copy.deepcopy(network).requires_grad_(False)
    replacements = {**RESCALED, **SPARING}
    for name, module in list(twin.named_modules()):
        if type(module) in replacements and _is_plain(module):
            parent, _, attribute = name.rpartition(".")
            setattr(twin.get_submodule(parent), attribute, replacements[type(module)](module))
    return twin


def _is_plain(module: nn.Module) -> bool:
    """Whether a convolution pads with a number of zeros."""
    if not isinstance(module, nn.Conv2d):
        return True
    return module.padding_mode == "zeros" and not isinstance(module.padding, str)


def _run(network: nn.Module, clips: Tensor, output: str) -> _Batch:
    """Run a batch of the background, and count the bytes that its graph keeps."""
    sizes: dict[int, int] = {}

    def count(saved: Tensor) -> Tensor:
        storage = saved.untyped_storage()
        sizes[storage.data_ptr()] = storage.nbytes()
        # With its place in the graph, the tensor and the graph would keep each other for ever.
        return saved.detach()

    clips = clips.detach().clone().requires_grad_()
    counting = saved_tensors_hooks(count, lambda saved: saved)
    with torch.enable_grad(), counting, right_batch_norm_gradients(network):
        logits = network_logits(network, clips, output)
    return _Batch(clips, logits, sum(sizes.values()))
