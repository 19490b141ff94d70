"""Each convolution of Cnn14 by itself: ``python -m benchmarks.layers`` prints a table.

It shows why large convolutions on small maps are computed as matrix products, and others by
Winograd's method: the rate of torch's convolution in both memory formats, of the product and of
Winograd's method, forward and backward, by CPU time. The rate counts what a direct convolution
multiplies.
"""

import argparse
import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from audiointerp.util.products import ProductConv2d, input_gradient
from audiointerp.util.winograd import evaluated_weights, winograd, winograd_gradient

FRAMES, BINS, CHANNELS = 501, 64, 64
BLOCKS = 6
RUNS = 3
SIZE = 1024
"""Rows of the matrices of the product."""
FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}

WAYS = (*FORMATS, "product", "Winograd")


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=1, help="in a batch")
    parser.add_argument("--channels", type=int, default=CHANNELS, help="of the first block")
    options = parser.parse_args(arguments)
    left, threads = torch.randn(SIZE, SIZE), torch.get_num_threads()
    rate = 2 * SIZE**3 / _seconds(lambda: left @ left) / 1e9
    print(f"matrix product {rate:.0f} GFLOP/s, {threads} threads; rates are by CPU time")
    ways = [f"{way} {name}" for way in ("forward", "backward") for name in WAYS]
    print(f"| channels | map | {' | '.join(ways)} |")
    print("|---|---|" + "---|" * len(ways))
    for block in range(BLOCKS):
        outputs = options.channels * 2**block
        for inputs in (outputs // 2 if block else 1, outputs):
            size = (options.clips, inputs, FRAMES >> block, BINS >> block)
            print(_row(nn.Conv2d(inputs, outputs, 3, padding=1).requires_grad_(False), size))


def _row(layer: nn.Conv2d, size: tuple[int, int, int, int]) -> str:
    clips, inputs, height, width = size
    flop = 2 * 9 * inputs * layer.out_channels * clips * height * width
    forward: list[float] = []
    backward: list[float] = []
    for memory_format in FORMATS.values():
        layer.to(memory_format=memory_format)  # type: ignore[call-overload]
        x = torch.randn(size).contiguous(memory_format=memory_format)
        gradient = torch.randn_like(layer(x))
        forward.append(_seconds(lambda: layer(x)))  # noqa: B023
        backward.append(_seconds(lambda: input_gradient(layer, x, gradient)))  # noqa: B023
    product = _always_product(layer)
    forward.append(_seconds(lambda: product(x)))
    y = product(x.requires_grad_())
    backward.append(_seconds(lambda: torch.autograd.grad(y, x, gradient, retain_graph=True)[0]))
    weights = evaluated_weights(layer.weight)
    forward.append(_seconds(lambda: winograd(x.detach(), weights, layer.bias)))
    backward.append(_seconds(lambda: winograd_gradient(gradient, weights)))
    rates = " | ".join(f"{flop / seconds / 1e9:.0f}" for seconds in (*forward, *backward))
    return f"| {inputs} to {layer.out_channels} | {height} x {width} | {rates} |"


def _always_product(layer: nn.Conv2d) -> ProductConv2d:
    product = ProductConv2d(layer)
    product.is_small = lambda *size: True  # type: ignore[method-assign]
    return product


def _seconds(work: Callable[[], Tensor]) -> float:
    """Return the least CPU time of some runs."""
    work()
    seconds = []
    for _ in range(RUNS):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return min(seconds)


if __name__ == "__main__":
    main()
