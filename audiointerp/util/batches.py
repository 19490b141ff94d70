"""How many clips of a batch one forward pass should take on a CPU.

With few clips the activations stay in the processor's caches. With many, the weights are read less
often, which counts where they are many times the activations.
"""

import torch
from torch import nn

from .forward import explained_model

FEW_BYTES = 2**23
"""Clips are taken together as long as no module returns more bytes than this for all of them."""
WEIGHTS_SHARE = 8
"""They are, too, as long as the weights are at least so many times what a module returns."""
NAME = "_clips_of_a_forward_pass"
"""The attribute of a network that says how many clips one or two threads should take."""


def set_forward_batch(network: nn.Module, largest: int) -> None:
    """Let a network know how many clips a forward pass of it should take.

    Args:
        network: any module.
        largest: the bytes of the largest tensor that one of its modules returns for one clip.

    >>> network = nn.Linear(2, 2)
    >>> set_forward_batch(network, 2**21)
    >>> forward_batch(network, 99) >= 4
    True
    """
    weights = sum(parameter.nbytes for parameter in network.parameters())
    setattr(network, NAME, max(2, FEW_BYTES // largest, weights // (WEIGHTS_SHARE * largest)))


def forward_batch(network: nn.Module, most: int) -> int:
    """Return how many clips a forward pass should take, at most so many.

    Args:
        network: any module, or one that is bound to a clip; without :func:`set_forward_batch`, and
            on other devices than the CPU, it takes all clips.
        most: the clips of a batch.

    >>> forward_batch(nn.Flatten(), 16)
    16
    """
    model = explained_model(network)
    clips: int | None = getattr(model, NAME, None)
    devices = {parameter.device.type for parameter in model.parameters()}
    if clips is None or devices - {"cpu"}:
        return most
    # Two threads are fastest with as many as one (docs/speed.md); more need more to share.
    return min(most, clips * max(1, torch.get_num_threads() // 2))
