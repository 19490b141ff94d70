"""How many clips of a batch one forward pass should take on a CPU.

With few clips the activations stay in the processor's caches. With many, the weights are read less
often, which counts where they are more than the activations.
"""

from torch import nn

FEW_BYTES = 2**23
"""As many clips as have no larger activation than this are always taken together."""


def set_forward_batch(network: nn.Module, largest: int) -> None:
    """Let a network know how many clips a forward pass of it should take.

    Args:
        network: any module.
        largest: the bytes of its largest activation for one clip.

    >>> network = nn.Linear(2, 2)
    >>> set_forward_batch(network, 2**21)
    >>> forward_batch(network, 16)
    4
    """
    weights = sum(parameter.nbytes for parameter in network.parameters())
    clips = max(2, FEW_BYTES // largest, weights // (2 * largest))
    network.forward_batch = clips  # type: ignore[assignment]


def forward_batch(network: nn.Module, most: int) -> int:
    """Return how many clips a forward pass should take, at most so many.

    Args:
        network: any module; one that :func:`set_forward_batch` was not called for takes all.
        most: the clips of a batch.

    >>> forward_batch(nn.Flatten(), 16)
    16
    """
    return min(most, getattr(network, "forward_batch", most))
