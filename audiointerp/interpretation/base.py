"""The base class of every method: it checks the inputs and restores the network afterwards."""

import copy
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from ..errors import ArgumentError, ModelError, choose
from ..util import (
    BLACK_BOX_METHODS,
    OUTPUTS,
    explain_gradient_errors,
    explained_model,
    halve_on_oom,
    probabilities,
    right_batch_norm_gradients,
    warn_of_probabilities,
)
from .attribution import Attribution
from .inputs import check_features, one_class_per_clip
from .naming import usable_name
from .preserve import preserve_state
from .repeatable import refuse_random
from .score import Score


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

    uses_layers: ClassVar[bool] = True
    """Whether the method looks at layers of the network. If not, a copy with other layers and the
    same outputs and input gradients may be explained instead, see :meth:`takes_copies`."""

    explains: ClassVar[str] = "logit"
    """What the values explain: a difference of the logit (``"logit"``), its gradient, a difference
    of the ``"probability"``, or ``"nothing"``. Windows of a long clip are weighted by it."""

    batch: int | None = None
    """The batch size, if the method chooses one; it is halved when memory runs out."""

    needs_features: ClassVar[bool] = False
    """Whether the method needs a network on features: it cannot see through the steps that make a
    sound for a model of waveforms."""

    uses_input_gradients: ClassVar[bool] = False
    """Whether the values are made of gradients by the levels alone. For a model of sounds whose own
    features are the levels, these are the gradients of its features, not through the sound."""

    gradients_by: ClassVar[str] = "levels"
    """What the gradients are by, unless it is a ``black_box``: ``"levels"``, ``"layer"`` or
    ``"nothing"``. For a model of sounds, info says what they go through."""

    _repeatable: list[nn.Module]
    """The network that was found to give the same logits each time, after the first call; also for
    the copies of :meth:`bound_to`."""

    made_with: tuple[tuple[Any, ...], dict[str, Any]]
    """The arguments of the constructor, which are recorded with the results."""

    def __new__(cls, *arguments: Any, **keywords: Any) -> Self:
        explainer = super().__new__(cls)
        explainer.made_with = (arguments, keywords)
        explainer._repeatable = []
        return explainer

    def __init__(self, network: nn.Module) -> None:
        self.check_network(network)
        self.network = network

    @classmethod
    def check_network(cls, network: nn.Module) -> None:
        """Refuse a network that the method cannot explain, as the constructor does.

        Raises:
            ArgumentError: see the class.

        >>> from audiointerp.interpretation import Saliency
        >>> Saliency.check_network(nn.Identity())
        """
        if not isinstance(network, nn.Module):
            raise ArgumentError(
                f"an explainer takes a network, e.g. classifier.network, "
                f"not a {type(network).__name__}"
            )
        if not cls.black_box and any(
            isinstance(module, torch.jit.ScriptModule) for module in network.modules()
        ):
            raise ArgumentError(
                f"{cls.name} needs the modules or gradients of a network, and TorchScript hides "
                f"them; give the nn.Module it was made from, or use {BLACK_BOX_METHODS}"
            )
        if not cls.black_box and not getattr(network, "has_gradients", True):
            raise ArgumentError(
                f"{cls.name} needs gradients, and this model is a function, which has none; use a "
                f"method without gradients: {BLACK_BOX_METHODS}"
            )
        if cls.needs_features and hasattr(network, "has_gradients"):
            raise ArgumentError(
                f"{cls.name} needs a network on features, and this model takes sounds; use "
                f"gradient_shap, integrated_gradients or kernel_shap"
            )

    @classmethod
    def takes_copies(cls) -> bool:
        """Return whether a copy of the network with other layers may be explained instead.

        A class says so itself by ``uses_layers = False``. It is not inherited, since a subclass may
        look at layers, or keep something from call to call, which :meth:`bound_to` would lose.

        >>> from audiointerp.interpretation import GuidedGradCAM, Saliency
        >>> Saliency.takes_copies(), GuidedGradCAM.takes_copies()
        (True, False)
        """
        return not vars(cls).get("uses_layers", True)

    def bound_to(self, network: nn.Module) -> Self:
        """Return this explainer for another network; itself if it is its own.

        A model of sounds is another network for each clip, see
        :meth:`~audiointerp.model.Classifier.bind`.

        >>> from audiointerp.interpretation import Saliency
        >>> explainer = Saliency(nn.Identity())
        >>> explainer.bound_to(explainer.network) is explainer
        True
        """
        if network is self.network:
            return self
        explainer = copy.copy(self)
        seen = getattr(network, "for_gradients", network) if self.uses_input_gradients else network
        explainer.network = seen
        return explainer

    def renamed(self, name: str) -> Self:
        """Return this explainer under another name in results; itself if it has this name.

        Raises:
            ArgumentError: the name cannot name a folder.

        >>> from audiointerp.interpretation import Saliency
        >>> Saliency(nn.Identity()).renamed("plain_gradient").name
        'plain_gradient'
        """
        if name == self.name:
            return self
        explainer = copy.copy(self)
        explainer.name = usable_name(name)  # type: ignore[misc]
        return explainer

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
                logit log p (or log(p / (1 - p)) of independent ones) is explained. If the first
                outputs look like probabilities, but are said to be logits, a warning is given once.

        Raises:
            ArgumentError: the features or the target do not fit, or the network's weights are in
                channels_last.
            ModelError: the network cannot take the features, gives no gradients to a method that
                needs them, or is random; its logits or the attribution are not finite.
        """
        check_features(db)
        choose("output", output, OUTPUTS)
        _refuse_channels_last(self.network)
        explained = one_class_per_clip("target", target, db)
        compared = one_class_per_clip("class to explain against", against, db)
        model = explained_model(self.network)
        if not any(model is checked for checked in self._repeatable):
            with preserve_state(self.network):
                refuse_random(self.network, db[:1].detach(), output)
            self._repeatable[:] = [model]

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
        taken = "nothing" if self.black_box else self.gradients_by
        if taken != "nothing" and hasattr(self.network, "gradients"):
            info["gradients"] = self.network.gradients if taken == "levels" else taken
        warn_of_probabilities(model, score.logits, output, stacklevel=3)
        values = values.detach().to(db.dtype).contiguous()
        if not values.isfinite().all():
            raise ModelError(
                f"{self.name}: the attribution contains NaN or infinite values; check that the "
                "network's weights are finite, and its outputs where bins are removed"
            )
        probs = probabilities(score.logits, output)
        return Attribution(values, score.target, probs, self.name, info, score.against)

    def attribute(self, inputs: Tensor, target: Any = None, **arguments: Any) -> Tensor:
        """Return the values alone ``(N, 1, F, T)``, as captum's methods do.

        Args:
            inputs: features ``(N, 1, F, T)``.
            target: as for a call of the explainer; also a list of classes.
            **arguments: as for a call of the explainer.
        """
        classes = torch.tensor(target) if isinstance(target, list | tuple) else target
        return self(inputs, classes, **arguments).values

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


def _refuse_channels_last(network: nn.Module) -> None:
    """Refuse channels_last weights on the CPU, whose gradients torch 2.11 computes wrongly.

    Where the gradient of such a convolution reaches a BatchNorm2d of height 1, as in PANNs, batch
    normalisation mistakes bins for channels, without any warning. A folded copy has no batch
    normalisation, and its gradients were compared when it was made.
    """
    if getattr(explained_model(network), "has_checked_gradients", False):
        return
    for name, parameter in network.named_parameters():
        if parameter.ndim == 4 and parameter.device.type == "cpu" and not parameter.is_contiguous():
            raise ArgumentError(
                f"{name} is not contiguous in memory (channels_last?), and torch computes wrong "
                f"gradients of such networks on the CPU; first call "
                f"network.to(memory_format=torch.contiguous_format)"
            )


def seed_of(clip: Tensor, seed: int) -> int:
    """Return a seed that depends only on a clip's features, as bytes, and on ``seed``.

    Random methods use it: a clip has the same draws in any batch. (numpy knows no bfloat16.)

    >>> seed_of(torch.zeros(1, 2, 3), 0)
    2747386400
    """
    return zlib.crc32(clip.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes(), seed)
