"""Times several ways to do the same work, in turn, and measures their peak memory."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

Side = Callable[[], Tensor | None]
"""One way to do some work; it returns its result, so that the ways can be compared."""
REFERENCE = "published"
"""The way with which the others are compared."""
LIBRARY = "library"
RESET_PEAK = "5"
"""What Linux takes as the order to forget a process's peak memory."""


@dataclass(frozen=True)
class Work:
    """Some work, and the ways to do it.

    Attributes:
        name: of the row.
        sides: the ways by name.
        parts: how many equal parts it consists of (samples, background clips): what is stated is
            for one of them.
        flop: the floating point operations that one part needs by arithmetic; 0 if not known.
        pairs: how often each way is timed after its first run; 0 to time that.
        goal: the ratio to reach; 0 if there is none.
        reference: the way with which the others are compared, if it is among them.
        is_clocked: whether each way returns its seconds itself, and not a result to compare.
    """

    name: str
    sides: Mapping[str, Side]
    parts: int = 1
    flop: float = 0.0
    pairs: int = 5
    goal: float = 0.0
    reference: str = REFERENCE
    is_clocked: bool = False


@dataclass(frozen=True)
class Timing:
    """What was measured of one way to do some work.

    Attributes:
        work, side: names.
        seconds, cpu_seconds: medians for one part: by the clock, and of all threads.
        low, high: quartiles of the seconds.
        ratio, ratio_low, ratio_high: the seconds of the reference over these, pair by pair: the
            median and the quartiles; 0 without a reference.
        rate: 1e9 floating point operations per second, of those that the work needs.
        peak: the most memory that the process has used meanwhile, in GiB; 0 if not known.
        difference: the largest one between the results of this way and of the library, as a share
            of the largest value; -1 where results cannot be compared.
        goal: the ratio to reach; 0 if there is none.
    """

    work: str
    side: str
    seconds: float
    cpu_seconds: float
    low: float
    high: float
    ratio: float
    ratio_low: float
    ratio_high: float
    rate: float
    peak: float
    difference: float
    goal: float


def measure(work: Work) -> list[Timing]:
    """Time the ways of some work in turn, after one run of each, whose memory is measured."""
    results: dict[str, Tensor | None] = {}

    def first(name: str) -> None:
        results[name] = work.sides[name]()

    names = list(work.sides)
    first_runs = {name: observed(partial(first, name)) for name in names}
    clocks: dict[str, list[float]] = {name: [] for name in names}
    cpu: dict[str, list[float]] = {name: [] for name in names}
    for number in range(work.pairs):
        # Each way is first in turn, so that none profits from what another leaves in caches.
        start = number % len(names)
        for name in names[start:] + names[:start]:
            seconds, cpu_seconds = timed(work.sides[name], work.is_clocked)
            clocks[name].append(seconds / work.parts)
            cpu[name].append(cpu_seconds / work.parts)
    if not work.pairs:
        clocks = {name: [seconds / work.parts] for name, (_, seconds, _) in first_runs.items()}
        cpu = {name: [used / work.parts] for name, (_, _, used) in first_runs.items()}
    differences = {name: -1.0 if work.is_clocked else _difference(results, name) for name in names}
    return [
        _timing(work, name, clocks, cpu[name], first_runs[name][0], differences[name])
        for name in names
    ]


def timed(side: Callable[[], object], is_clocked: bool = False) -> tuple[float, float]:
    """Return the seconds of one run by the clock, and those of all threads.

    Args:
        side: what is run.
        is_clocked: whether it returns its seconds itself.
    """
    clock, cpu = time.perf_counter(), time.process_time()
    result = side()
    seconds, cpu_seconds = time.perf_counter() - clock, time.process_time() - cpu
    if is_clocked and isinstance(result, Tensor):
        return float(result.median()), cpu_seconds
    return seconds, cpu_seconds


def observed(side: Callable[[], object]) -> tuple[float, float, float]:
    """Run it once; return the most memory that the process used meanwhile in GiB, and the seconds.

    Returns:
        The memory (0 where the system does not say it), and the seconds as of :func:`timed`.
    """
    status = Path("/proc/self/status")
    if status.exists():
        Path("/proc/self/clear_refs").write_text(RESET_PEAK)
    seconds, cpu_seconds = timed(side)
    if not status.exists():
        return 0.0, seconds, cpu_seconds
    (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 2**20, seconds, cpu_seconds


def quartiles(values: list[float]) -> tuple[float, float, float]:
    """Return the median and the lower and upper quartile."""
    if len(values) < 2:
        return values[0], values[0], values[0]
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return median, low, high


def _timing(
    work: Work,
    name: str,
    clocks: Mapping[str, list[float]],
    cpu: list[float],
    peak: float,
    difference: float,
) -> Timing:
    seconds, low, high = quartiles(clocks[name])
    ratios = (0.0, 0.0, 0.0)
    if work.reference in clocks:
        pairs = zip(clocks[work.reference], clocks[name], strict=True)
        ratios = quartiles([reference / own_seconds for reference, own_seconds in pairs])
    return Timing(
        work=work.name,
        side=name,
        seconds=seconds,
        cpu_seconds=statistics.median(cpu),
        low=low,
        high=high,
        ratio=ratios[0],
        ratio_low=ratios[1],
        ratio_high=ratios[2],
        rate=work.flop / seconds / 1e9,
        peak=peak,
        difference=difference,
        goal=work.goal if name == LIBRARY else 0.0,
    )


def _difference(results: Mapping[str, Tensor | None], name: str) -> float:
    """Return how far a result is from the library's, as a share of the largest value."""
    values, expected = results[name], results.get(LIBRARY)
    if values is None or expected is None or values.shape != expected.shape:
        return -1.0
    values, expected = values.detach().double().cpu(), expected.detach().double().cpu()
    return float((values - expected).abs().max() / expected.abs().max().clamp_min(1e-30))


def matrix_product_rate(size: int, runs: int = 5) -> float:
    """Return the rate of a float32 matrix product in GFLOP/s: the median of some runs."""
    generator = torch.Generator().manual_seed(0)
    left, right = (torch.randn(size, size, generator=generator) for _ in range(2))

    def product() -> None:
        torch.mm(left, right)

    product()
    seconds = statistics.median(timed(product)[0] for _ in range(runs))
    return 2 * size**3 / seconds / 1e9
