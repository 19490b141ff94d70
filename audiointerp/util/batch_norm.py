"""A workaround for wrong gradients of torch 2.11's batch normalisation on the CPU."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


@contextmanager
def right_batch_norm_gradients(network: nn.Module) -> Iterator[None]:
    """Bring each gradient that reaches a BatchNorm2d into the memory format of its input.

    Where the input has one bin or one frame, and gradient and input differ in memory format, torch
    2.11 mistakes bins for channels on the CPU, without any warning. The first layer of the official
    PANNs is such a case: its gradients pointed in another direction.

    >>> norm = nn.BatchNorm2d(2).eval()
    >>> norm.running_var[1] = 100.0
    >>> x = torch.ones(1, 2, 3, 1, requires_grad=True)
    >>> with right_batch_norm_gradients(norm):
    ...     norm(x).transpose(1, 3).contiguous().sum().backward()
    >>> x.grad[0, :, 0, 0]
    tensor([1.0000, 0.1000])
    """
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    handles = [norm.register_forward_hook(match_gradient) for norm in norms]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def match_gradient(norm: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
    """Bring the gradient of an output into the memory format of the input: a forward hook.

    Example: see :func:`right_batch_norm_gradients`.
    """
    like = inputs[0].detach()
    if output.requires_grad and 1 in like.shape[2:]:
        output.register_hook(lambda gradient: torch.empty_like(like).copy_(gradient))
