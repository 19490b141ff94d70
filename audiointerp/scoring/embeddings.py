"""The embedding of a sound: what a network's last linear layer gets."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn


def has_embedding(network: nn.Module) -> bool:
    """Return whether a network has a linear layer, whose input is its embedding.

    >>> has_embedding(nn.Sequential(nn.Flatten(), nn.Linear(6, 2))), has_embedding(nn.Flatten())
    (True, False)
    """
    return _last_linear(network) is not None


def _last_linear(network: nn.Module) -> nn.Linear | None:
    layers = [module for module in network.modules() if isinstance(module, nn.Linear)]
    return layers[-1] if layers else None


@contextmanager
def embeddings_of(network: nn.Module) -> Iterator[list[Tensor]]:
    """Collect the embeddings ``(K, D)`` of each forward inside the ``with`` statement.

    Axes between the first and the last, e.g. of tokens, are averaged over. The list stays empty for
    a network without a linear layer.

    >>> network = nn.Sequential(nn.Flatten(), nn.Linear(6, 2))
    >>> with embeddings_of(network) as embeddings:
    ...     _ = network(torch.zeros(4, 2, 3))
    >>> [tuple(embedding.shape) for embedding in embeddings]
    [(4, 6)]
    """
    embeddings: list[Tensor] = []

    def keep(layer: nn.Module, arguments: tuple[Tensor, ...], outputs: Tensor) -> None:
        values = arguments[0].detach().cpu().double()
        embeddings.append(values.flatten(1, -2).mean(1) if values.ndim > 2 else values)

    layer = _last_linear(network)
    handle = None if layer is None else layer.register_forward_hook(keep)
    try:
        yield embeddings
    finally:
        if handle is not None:
            handle.remove()


def pooled(embeddings: Sequence[Tensor], weights: Tensor, parts: int) -> Tensor | None:
    """Return the mean embedding ``(K, D)`` over the windows of a clip.

    Args:
        embeddings: of all versions of the first window, then of the second one …, in pieces
            ``(n, D)`` as the network was given them.
        weights: of the windows, ``(W,)``.
        parts: K, the number of versions of the clip.

    Returns:
        None if there is not one embedding for each window and version, e.g. where the last linear
        layer is not called, or is called several times.

    >>> halves = torch.tensor([0.5, 0.5], dtype=torch.float64)
    >>> pooled([torch.zeros(1, 2), torch.ones(1, 2)], halves, 1).tolist()
    [[0.5, 0.5]]
    """
    if sum(len(embedding) for embedding in embeddings) != parts * len(weights):
        return None
    by_window = torch.cat(list(embeddings)).double().unflatten(0, (len(weights), parts))
    return torch.einsum("w,wkd->kd", weights, by_window)
