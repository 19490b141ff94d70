"""The place in a module of sounds where it has features that a transform computes.

A module computes features of the sound, and decides by them. Where these are what the transform of
the grid computes, its outputs are a function of the levels, too: the module as its owner wrote it,
with the features of other levels in place of those of the sound.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import get_ident
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import ModelError
from ..util import owned
from .equal_features import ORDERS, LinearFit
from .sound_model import SoundModel

SIDES = ("input", "output")
"""Of a part of a module, where features can pass."""
ADVICE = "give gradients='sound'"
Visit = Callable[[Tensor], Tensor | None]
"""Sees a tensor that passes; returns another one in its place, or None."""


class _ReachedError(BaseException):
    """Ends a forward pass; no handler of ``Exception`` in a user's code stops it."""


@dataclass(frozen=True)
class FeaturePlace:
    """Where a model of sounds has features that are a linear function of a transform's levels.

    Attributes:
        part: the name of a part of its module.
        side: the features are the ``"input"`` or the ``"output"`` of the part.
        fit: the features as a function of the levels.

    >>> print(FeaturePlace("network", "input", LinearFit(1.0, 0.0, "(N, 1, F, T)")))
    the input of network
    """

    part: str
    side: str
    fit: LinearFit

    def __str__(self) -> str:
        return f"the {self.side} of {self.part}"

    def difference(
        self, model: SoundModel, sounds: Tensor, levels: Tensor, compared: Tensor
    ) -> float:
        """Return the largest difference of the features of sounds, in the unit of the levels.

        Args:
            model: the model.
            sounds: ``(N, 1, L)``.
            levels: ``(N, 1, F, T)``, scaled as the transform scales them.
            compared: whether a bin is compared, ``(N, 1, F, T)``.
        """
        features = features_at(model, self.part, self.side, sounds)
        if features.shape != self.fit.features(levels).shape:
            return float("inf")
        same = self.fit.features(levels).to(features)
        seen = ORDERS[self.fit.order](compared)
        return self.fit.largest_difference(torch.where(seen, features, same), levels)[0]

    def outputs(self, model: SoundModel, sounds: Tensor, levels: Tensor) -> Tensor:
        """Return the outputs ``(N, C)`` for sounds with the features of other levels.

        Args:
            model: the model.
            sounds: ``(N, 1, L)``.
            levels: ``(N, 1, F, T)``, scaled as the transform scales them.

        Raises:
            ModelError: the model does not use the features once for each sound.
        """
        features = self.fit.features(levels)
        taken = 0

        def replaced(given: Tensor) -> Tensor:
            nonlocal taken
            # The owner may compute features without gradients.
            with torch.set_grad_enabled(features.requires_grad):
                rows = features[taken : taken + len(given)]
                taken += len(given)
                if taken > len(features):
                    raise ModelError(f"{self} is used more than once for each sound; {ADVICE}")
                if rows.numel() != given.numel():
                    raise ModelError(f"{self} is {tuple(given.shape)}, not {tuple(rows.shape)}")
                return rows.to(given).reshape(given.shape)

        with watched(model.module.get_submodule(self.part), self.side, replaced):
            outputs: Tensor = model(sounds)
        if taken != len(features):
            raise ModelError(f"{self} is not used once for each sound; {ADVICE}")
        return outputs


def features_at(model: SoundModel, part: str, side: str, sounds: Tensor) -> Tensor:
    """Return what passes a part of a model's module for sounds ``(N, 1, L)``.

    The rest of the model is not run.

    Raises:
        ModelError: nothing passes there, or not one row for each sound.

    >>> layers = nn.Sequential(nn.Linear(4, 2), nn.ReLU())
    >>> features_at(SoundModel(layers, 8000, "NL"), "1", "input", torch.zeros(3, 1, 4)).shape
    torch.Size([3, 2])
    """
    caught: list[Tensor] = []

    def catch(tensor: Tensor) -> None:
        caught.append(without_channel(tensor))
        if sum(map(len, caught)) >= len(sounds):
            raise _ReachedError

    with torch.no_grad(), watched(model.module.get_submodule(part), side, catch):
        try:
            model(sounds)
        except _ReachedError:
            return torch.cat(caught)
    raise ModelError(f"{model.model_name} has no {side} of {part} for each of {len(sounds)} sounds")


def without_channel(tensor: Tensor) -> Tensor:
    """Return features of at most four axes.

    A front end that adds the channel makes ``(N, 1, 1, F, T)`` of ``(N, 1, L)``.

    >>> without_channel(torch.zeros(2, 1, 1, 3, 4)).shape
    torch.Size([2, 1, 3, 4])
    """
    return tensor.squeeze(1) if tensor.ndim == 5 else tensor


@contextmanager
def watched(part: nn.Module, side: str, visit: Visit) -> Iterator[None]:
    """Call a function for each tensor that enters or leaves a part, in this thread alone.

    Args:
        part: of a module.
        side: a name in :data:`SIDES`.
        visit: gets the tensor; what it returns takes the tensor's place, unless it is None.

    >>> part = nn.ReLU()
    >>> with watched(part, "output", lambda tensor: tensor + 1):
    ...     part(torch.zeros(2)).tolist()
    [1.0, 1.0]
    """
    thread = get_ident()

    def on_input(_: nn.Module, arguments: tuple[Any, ...]) -> tuple[Any, ...] | None:
        if thread != get_ident() or not arguments or not isinstance(arguments[0], Tensor):
            return None
        other = visit(arguments[0])
        return None if other is None else (other, *arguments[1:])

    def on_output(_: nn.Module, arguments: Any, output: Any) -> Tensor | None:
        if thread != get_ident() or not isinstance(output, Tensor):
            return None
        return visit(output)

    if side == "input":
        handle = part.register_forward_pre_hook(owned(on_input))
    else:
        handle = part.register_forward_hook(owned(on_output))
    try:
        yield
    finally:
        handle.remove()
