"""How long a version of a clip takes by the versions in a forward pass.

``python -m benchmarks.forward_batch`` prints a table of the copies for inference, whose numbers of
clips ``audiointerp/util/batches.py`` chooses, by the clock.
"""

import argparse
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from audiointerp.model import Cnn6, Cnn10, Cnn14, initialise
from audiointerp.util import folded, forward_batch

VERSIONS = 16
BATCHES = (1, 2, 4, 8, 16)
LEVEL_RANGE = 100.0


@dataclass(frozen=True)
class Case:
    """A network and its features.

    Attributes:
        kind: the network's class.
        channels: of its first block.
        bins, frames: of the features.
    """

    kind: type[Cnn6] | type[Cnn10] | type[Cnn14]
    channels: int
    bins: int
    frames: int


CASES = {
    "Cnn10, 16 channels, mel": Case(Cnn10, 16, 64, 501),
    "Cnn10, 16 channels, STFT": Case(Cnn10, 16, 257, 626),
    "Cnn10, mel": Case(Cnn10, 64, 64, 501),
    "Cnn14, 16 channels, mel": Case(Cnn14, 16, 64, 501),
    "Cnn14, mel": Case(Cnn14, 64, 64, 501),
}
"""The first two have the sizes of the networks in ``weights/``."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=list(CASES))
    options = parser.parse_args(arguments)
    print(f"threads: {torch.get_num_threads()}")
    print("| network | chosen | " + " | ".join(map(str, BATCHES)) + " |")
    print("|---|---|" + "---|" * len(BATCHES))
    for name in options.cases:
        print(_row(name, CASES[name], options.rounds))


def _row(name: str, case: Case, rounds: int) -> str:
    network = case.kind(
        10, num_bins=case.bins, base_channels=case.channels, level_range=LEVEL_RANGE
    )
    initialise(network, 0)
    levels = -80 * torch.rand(VERSIONS, 1, case.bins, case.frames)
    twin = folded(network.eval(), levels[:2])
    if twin is None:
        raise RuntimeError(f"{name}: its copy does not agree with it")
    milliseconds: dict[int, list[float]] = {batch: [] for batch in BATCHES}
    for _ in range(rounds):
        for batch, found in milliseconds.items():
            found.append(_seconds(twin, levels, batch) * 1000 / VERSIONS)
    cells = [f"{statistics.median(found):.2f}" for found in milliseconds.values()]
    return f"| {name} | {forward_batch(twin, VERSIONS)} | {' | '.join(cells)} |"


@torch.inference_mode()
def _seconds(network: nn.Module, levels: torch.Tensor, batch: int) -> float:
    start = time.perf_counter()
    for part in levels.split(batch):
        network(part)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
