"""The base class of every method: it checks the inputs and restores the network afterwards."""

import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..errors import ArgumentError, ModelError, choose
from ..util import OUTPUTS, explain_gradient_errors, halve_on_oom, probabilities
from .attribution import Attribution
from .batch_norm import right_batch_norm_gradients
from .preserve import preserve_state
from .repeatable import refuse_random
from .score import Score, describe_tensor


class Explainer(ABC):
    """A method bound to a network; a subclass sets ``name`` and implements ``_attribute``.

    Call it with features ``(N, 1, F, T)`` to explain each clip's predicted class, or ``target``.
    The network is run in evaluation mode; its modes, gradients and hooks are restored afterwards.

    Args:
        network: any module from features ``(N, 1, F, T)`` to logits or probabilities ``(N, C)``.

    Raises:
        ArgumentError: the network is not an ``nn.Module``, or has a TorchScript module although the
            method is not ``black_box``.

    >>> class InputTimesGradient(Explainer):
    ...     name = "input_times_gradient"
    ...     def _attribute(self, score, db):
    ...         (gradient,) = torch.autograd.grad(score(db.requires_grad_()).sum(), db)
    ...         return db * gradient, {}
    >>> explainer = InputTimesGradient(nn.Sequential(nn.Flatten(), nn.Linear(6, 2)))
    >>> explainer(torch.ones(1, 1, 2, 3), target=1)
    Attribution(input_times_gradient, values (1, 1, 2, 3), target [1])
    """

    name: ClassVar[str]
    """A folder name and a word in tables, see :func:`~audiointerp.interpretation.usable_name`."""

    needs_background: ClassVar[bool] = False
    """Whether the constructor's second argument is the features of other clips."""

    black_box: ClassVar[bool] = False
    """Whether the method needs only the network's outputs: no gradients, no hooks on modules."""

    explains: ClassVar[str] = "logit"
    """What the values explain: a difference of the logit (``"logit"``), its gradient, a difference
    of the ``"probability"``, or ``"nothing"``. Windows of a long clip are weighted by it."""

    batch: int | None = None
    """The batch size, if the method chooses one; it is halved when memory runs out."""

    _repeatable: nn.Module | None = None
    """The network that was found to give the same logits each time, after the first call."""

    made_with: tuple[tuple[Any, ...], dict[str, Any]]
    """The arguments of the constructor, which are recorded with the results."""

    def __new__(cls, *arguments: Any, **keywords: Any) -> Self:
        explainer = super().__new__(cls)
        explainer.made_with = (arguments, keywords)
        return explainer

    def __init__(self, network: nn.Module) -> None:
        if not isinstance(network, nn.Module):
            raise ArgumentError(
                f"an explainer takes a network, e.g. classifier.network, "
                f"not a {type(network).__name__}"
            )
        if not self.black_box and any(
            isinstance(module, torch.jit.ScriptModule) for module in network.modules()
        ):
            raise ArgumentError(
                f"{self.name} needs the modules or gradients of a network, and TorchScript hides "
                f"them; give the nn.Module it was made from, or use occlusion, lime or kernel_shap"
            )
        self.network = network

    def __call__(
        self,
        db: Tensor,
        target: int | Tensor | None = None,
        *,
        against: int | Tensor | None = None,
        output: str = "softmax",
    ) -> Attribution:
        """Explain the features of N clips.

        Args:
            db: features ``(N, 1, F, T)``, e.g. ``spectrogram.db``.
            target: the class to explain, one number for all clips or ``(N,)``; the predicted
                class of each clip if None.
            against: another class, to explain why the network prefers the target to it: the
                difference of their logits is explained.
            output: what the network's outputs are, a name in ``OUTPUTS``. Of probabilities p, the
                logit log p (or log(p / (1 - p)) of independent ones) is explained.

        Raises:
            ArgumentError: the features or the target do not fit, or the network's weights are in
                channels_last.
            ModelError: the network cannot take the features, gives no gradients although the method
                needs them, or is random; its logits or the attribution are not finite.
        """
        _check_features(db)
        choose("output", output, OUTPUTS)
        _refuse_channels_last(self.network)
        explained = _one_class_per_clip("target", target, db)
        compared = _one_class_per_clip("class to explain against", against, db)
        if self._repeatable is not self.network:
            with preserve_state(self.network):
                refuse_random(self.network, db[:1].detach())
            self._repeatable = self.network

        def attempt(batch: int) -> tuple[Score, Tensor, dict[str, Any]]:
            score = Score(self.network, explained, compared, output)
            with (
                explain_gradient_errors(self.name),
                preserve_state(self.network),
                right_batch_norm_gradients(self.network),
                torch.enable_grad(),
                self._batch_set_to(batch),
            ):
                return score, *self._attribute(score, db.detach().clone())

        (score, values, info), batch = halve_on_oom(attempt, self.batch or 1)
        if self.batch is not None:
            info["batch"] = torch.full((len(db),), batch)
        values = values.detach().to(db.dtype)
        if not values.isfinite().all():
            raise ModelError(
                f"{self.name}: the attribution contains NaN or infinite values; "
                f"check that the network's weights are finite"
            )
        probs = probabilities(score.logits, output)
        return Attribution(values, score.target, probs, self.name, info, score.against)

    @contextmanager
    def _batch_set_to(self, batch: int) -> Iterator[None]:
        planned = self.batch
        if planned is not None:
            self.batch = batch
        try:
            yield
        finally:
            self.batch = planned

    @abstractmethod
    def _attribute(self, score: Score, db: Tensor) -> tuple[Tensor, dict[str, Any]]:
        """Return the values ``(N, 1, F, T)`` and the entries of ``info``."""


def _check_features(db: Tensor) -> None:
    if not isinstance(db, Tensor):
        raise ArgumentError(
            f"features are a tensor (N, 1, F, T), e.g. spectrogram.db, not a {type(db).__name__}"
        )
    if db.ndim != 4 or db.shape[1] != 1 or not len(db) or not db.is_floating_point():
        raise ArgumentError(
            f"features are a float tensor (N, 1, F, T), not {db.dtype} of shape {tuple(db.shape)}"
        )
    if not db.isfinite().all():
        raise ArgumentError("the features contain NaN or infinite values")


def _one_class_per_clip(name: str, number: int | Tensor | None, db: Tensor) -> Tensor | None:
    if number is None:
        return None
    if isinstance(number, str):
        raise ArgumentError(
            f"a {name} is a class number here, not {number!r}; use classifier.target(name)"
        )
    classes = torch.as_tensor(number, device=db.device)
    if classes.is_floating_point() or classes.shape not in ((), (1,), (len(db),)):
        raise ArgumentError(
            f"a {name} is one class number, or one per clip ({len(db)},), "
            f"not {describe_tensor(classes)}"
        )
    return classes.expand(len(db))


def _refuse_channels_last(network: nn.Module) -> None:
    """Refuse channels_last weights on the CPU, whose gradients torch 2.11 computes wrongly.

    Where the gradient of such a convolution reaches a BatchNorm2d of height 1, as in PANNs, batch
    normalisation mistakes bins for channels, without any warning.
    """
    for name, parameter in network.named_parameters():
        if parameter.ndim == 4 and parameter.device.type == "cpu" and not parameter.is_contiguous():
            raise ArgumentError(
                f"{name} is not contiguous in memory (channels_last?), and torch computes wrong "
                f"gradients of such networks on the CPU; first call "
                f"network.to(memory_format=torch.contiguous_format)"
            )


def check_background(background: Tensor) -> None:
    """Check that a background is features ``(B, 1, F, T)`` of at least one clip, all finite.

    Raises:
        ArgumentError: it is not.

    >>> check_background(torch.zeros(4, 1, 64, 100))
    """
    if not isinstance(background, Tensor):
        raise ArgumentError(
            f"a background is features (B, 1, F, T) of B clips, not a {type(background).__name__}"
        )
    if background.ndim != 4 or background.shape[1] != 1 or not len(background):
        raise ArgumentError(
            f"a background is features (B, 1, F, T) of B clips, not {tuple(background.shape)}"
        )
    if not background.isfinite().all():
        raise ArgumentError("the background contains NaN or infinite values")


def on_grid(coarse: Tensor, db: Tensor, layout: str) -> Tensor:
    """Interpolate a layer's map ``(N, 1, ..., ...)`` bilinearly to the grid of the features.

    Args:
        coarse: the map.
        db: the features ``(N, 1, F, T)``.
        layout: the axes of the map, ``"FT"`` or ``"TF"``.

    >>> on_grid(torch.zeros(1, 1, 5, 2), torch.zeros(1, 1, 8, 20), "TF").shape
    torch.Size([1, 1, 8, 20])
    """
    swapped = coarse.transpose(2, 3) if layout == "TF" else coarse
    return functional.interpolate(
        swapped.detach(), db.shape[2:], mode="bilinear", align_corners=False
    )


def seed_of(clip: Tensor, seed: int) -> int:
    """Return a seed that depends only on a clip's features and on ``seed``.

    Random methods use it, so a clip gets the same draws in any order and in any batch.

    >>> seed_of(torch.zeros(1, 2, 3), 0) == seed_of(torch.zeros(1, 2, 3), 0)
    True
    """
    return zlib.crc32(clip.detach().cpu().contiguous().numpy().tobytes(), seed)
