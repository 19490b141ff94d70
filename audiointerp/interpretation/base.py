"""What every explainer shares: the record it returns, the checks, one forward, a model left as it was found."""

import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..conventions import OUTPUTS, probabilities
from ..errors import ArgumentError, ModelError, choose
from ..memory import halving
from .state import untouched


@dataclass(frozen=True, eq=False)
class Attribution:
    """How much each bin spoke for the explained class.

    Attributes:
        values: ``(N, 1, F, T)``, signed; the unit is the method's.
        target: ``(N,)``, the explained classes.
        probs: ``(N, C)``, the probabilities of the clips.
        method: the name of the explainer.
        info: what else the method found out, by name; tensors have N as their first axis.
        against: ``(N,)``, the classes that the explained ones were compared with; None if with none.
    """

    values: Tensor
    target: Tensor
    probs: Tensor
    method: str
    info: Mapping[str, Any] = field(default_factory=dict)
    against: Tensor | None = None

    def __repr__(self) -> str:
        against = "" if self.against is None else f" against {self.against.tolist()}"
        return f"Attribution({self.method}, values {tuple(self.values.shape)}, target {self.target.tolist()}{against})"


class Score(nn.Module):
    """The network as the function that is explained: features to the logit of the explained class, ``(N,)``.

    Against another class it is the difference of the two logits. The first call settles the target (the predicted class
    where none was given) and keeps the logits, so prediction and attribution come from one forward.
    """

    def __init__(
        self, network: nn.Module, target: Tensor | None, against: Tensor | None = None, output: str = "softmax"
    ) -> None:
        super().__init__()
        self.network = network
        self.against = against
        self.output = output
        self._target = target
        self._logits: Tensor | None = None

    def forward(self, db: Tensor) -> Tensor:
        """Features ``(N, 1, F, T)`` to the explained score ``(N,)``."""
        logits = self.network(db)
        if self._logits is None:
            self._logits = _checked_logits(logits, len(db), (self._target, self.against))
            if self._target is None:
                self._target = self._logits.argmax(1)
            if self.against is not None and bool((self.against == self._target).any()):
                raise ArgumentError(
                    f"class {self._target.tolist()} cannot be explained against itself; give another target"
                )
        return self.chosen(logits)

    def chosen(self, logits: Tensor) -> Tensor:
        """The explained score ``(N,)`` of logits ``(N, C)``."""
        score: Tensor = _of_class(logits, self.target)
        return score if self.against is None else score - _of_class(logits, self.against)

    def probability(self, db: Tensor) -> Tensor:
        """The probability of the explained class ``(N,)``; against another class, given that it is one of the two."""
        logits = self.network(db)
        if self.against is not None:
            return self.chosen(logits).sigmoid()
        probability: Tensor = _of_class(probabilities(logits, self.output), self.target)
        return probability

    def settle(self, db: Tensor) -> None:
        """Make the one forward for a method that has no use for its graph."""
        with torch.no_grad():
            self(db)

    def of(self, clip: int) -> "Score":
        """The score of one clip alone, once settled; it takes any number of versions of that clip."""
        here = slice(clip, clip + 1)
        one = Score(self.network, self.target[here], None if self.against is None else self.against[here], self.output)
        one._logits = self.logits[here]
        return one

    @property
    def logits(self) -> Tensor:
        """``(N, C)``, of the first call."""
        if self._logits is None:
            raise ModelError("an explainer must call its score, or settle it, before it asks for logits or target")
        return self._logits

    @property
    def target(self) -> Tensor:
        """``(N,)``, the explained classes."""
        if self._target is None:
            raise ModelError("an explainer must call its score, or settle it, before it asks for logits or target")
        return self._target


def _of_class(values: Tensor, target: Tensor) -> Tensor:
    return values.gather(1, target.expand(len(values))[:, None])[:, 0]


def _checked_logits(logits: Tensor, clips: int, targets: tuple[Tensor | None, ...]) -> Tensor:
    if not isinstance(logits, Tensor):
        raise ModelError(f"the network must give logits ({clips}, C) as one tensor, not a {type(logits).__name__}")
    logits = logits.detach()
    if logits.ndim != 2 or len(logits) != clips or not logits.isfinite().all():
        raise ModelError(f"the network must give finite logits ({clips}, C), not {_described(logits)}")
    for target in targets:
        if target is not None and not bool(((target >= 0) & (target < logits.shape[1])).all()):
            raise ArgumentError(f"target {target.tolist()} is not among the network's {logits.shape[1]} classes")
    return logits


def _described(tensor: Tensor) -> str:
    return f"{tuple(tensor.shape)}" + ("" if tensor.isfinite().all() else " with NaN or infinite values")


class Explainer(ABC):
    """A method bound to a network; a subclass writes ``_attribute`` alone.

    Calling it with features ``(N, 1, F, T)`` explains each clip's predicted class, or ``target``: one class for all, or
    ``(N,)``. The network is any module from features to logits ``(N, C)``; it is run in evaluation mode, and left with the
    modes, gradients and hooks that it had.
    """

    name: ClassVar[str]
    needs_background: ClassVar[bool] = False  # features of other clips, the second argument of its class
    batch: int | None = None
    """How much goes through the network at once, where the method has a choice; halved where memory is short."""

    made_with: tuple[tuple[Any, ...], dict[str, Any]]
    """The arguments of its constructor: results are kept with them."""

    def __new__(cls, *arguments: Any, **keywords: Any) -> Self:
        explainer = super().__new__(cls)
        explainer.made_with = (arguments, keywords)
        return explainer

    def __init__(self, network: nn.Module) -> None:
        if isinstance(network, torch.jit.ScriptModule):
            raise ArgumentError("a TorchScript network cannot be explained; give the nn.Module that it was made of")
        if not isinstance(network, nn.Module):
            raise ArgumentError(f"an explainer takes a network, classifier.network say, not a {type(network).__name__}")
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
            db: features ``(N, 1, F, T)``, ``spectrogram.db`` say.
            target: the class to explain, one for all or ``(N,)``; each clip's predicted class if None.
            against: another class, to explain why it is the target rather than this one: the difference of the logits.
            output: what the network's logits mean, a name in ``OUTPUTS``.

        Raises:
            ArgumentError: the features or the target do not fit, or the network's weights are in channels_last.
            ModelError: the network gives no finite logits, or the attribution is not finite.
        """
        if not isinstance(db, Tensor):
            raise ArgumentError(f"features are a tensor (N, 1, F, T), spectrogram.db say, not a {type(db).__name__}")
        if db.ndim != 4 or db.shape[1] != 1 or not len(db) or not db.is_floating_point():
            raise ArgumentError(f"features are a float tensor (N, 1, F, T), not {db.dtype} of shape {tuple(db.shape)}")
        if not db.isfinite().all():
            raise ArgumentError("the features hold NaN or infinite values")
        choose("output", output, OUTPUTS)
        _refuse_channels_last(self.network)
        explained, other = _class_of_each("target", target, db), _class_of_each("class to explain against", against, db)

        def attempt(batch: int) -> tuple[Score, Tensor, dict[str, Any]]:
            score = Score(self.network, explained, other, output)
            with untouched(self.network), torch.enable_grad(), self._at_once(batch):
                return score, *self._attribute(score, db.detach().clone())

        (score, values, info), batch = halving(attempt, self.batch or 1)
        if self.batch is not None:
            info["batch"] = torch.full((len(db),), batch)
        values = values.detach()
        if not values.isfinite().all():
            raise ModelError(f"{self.name}: the attribution holds NaN or infinite values; are the weights finite?")
        return Attribution(values, score.target, probabilities(score.logits, output), self.name, info, score.against)

    @contextmanager
    def _at_once(self, batch: int) -> Iterator[None]:
        planned = self.batch
        if planned is not None:
            self.batch = batch
        try:
            yield
        finally:
            self.batch = planned

    @abstractmethod
    def _attribute(self, score: Score, db: Tensor) -> tuple[Tensor, dict[str, Any]]:
        """Values ``(N, 1, F, T)`` and what goes into ``info``."""


def _class_of_each(name: str, number: int | Tensor | None, db: Tensor) -> Tensor | None:
    if number is None:
        return None
    if isinstance(number, str):
        raise ArgumentError(f"a {name} is a class number here, not {number!r}; classifier.target(name) knows it")
    classes = torch.as_tensor(number, device=db.device)
    if classes.is_floating_point() or classes.shape not in ((), (1,), (len(db),)):
        raise ArgumentError(f"a {name} is one class number, or one a clip ({len(db)},), not {_described(classes)}")
    return classes.expand(len(db))


def _refuse_channels_last(network: nn.Module) -> None:
    """Torch 2.11 on CPU: where a gradient comes back from such a convolution to a BatchNorm2d of height 1, as in PANNs, the
    batch normalisation takes its bins for its channels, and the gradient of the input is wrong without a word.
    """
    for name, parameter in network.named_parameters():
        if parameter.ndim == 4 and parameter.device.type == "cpu" and not parameter.is_contiguous():
            raise ArgumentError(
                f"{name} is not contiguous in memory (channels_last?), and torch gives wrong gradients of such networks on "
                f"the CPU: network.to(memory_format=torch.contiguous_format) first"
            )


def check_background(background: Tensor) -> None:
    """Refuse what is no background.

    Raises:
        ArgumentError: it is not finite features ``(B, 1, F, T)`` of at least one clip.
    """
    if not isinstance(background, Tensor):
        raise ArgumentError(f"a background is features (B, 1, F, T) of B clips, not a {type(background).__name__}")
    if background.ndim != 4 or background.shape[1] != 1 or not len(background):
        raise ArgumentError(f"a background is features (B, 1, F, T) of B clips, not {tuple(background.shape)}")
    if not background.isfinite().all():
        raise ArgumentError("the background must be finite")


def on_grid(coarse: Tensor, db: Tensor, layout: str) -> Tensor:
    """A layer's map ``(N, 1, ...)`` to the grid of the features, bilinearly; ``layout`` says which axis is time."""
    turned = coarse.transpose(2, 3) if layout == "TF" else coarse
    return functional.interpolate(turned.detach(), db.shape[2:], mode="bilinear", align_corners=False)


def seed_of(clip: Tensor, seed: int) -> int:
    """A seed made of a clip's features and another seed, so that draws depend on nothing else."""
    return zlib.crc32(clip.detach().cpu().contiguous().numpy().tobytes(), seed)
