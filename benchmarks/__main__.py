"""The command of ``make bench``: ``python -m benchmarks [work|commands] [--data FOLDER]``."""

import argparse
import os
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import torch

from . import commands, growth, page, rows, small
from .machine import load_average, this_machine
from .material import TINY, Material, Size, prepare
from .measure import Timing, Work, matrix_product_rate, measure

FOLDER = Path(__file__).parent


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and write the page."""
    options = _parser().parse_args(arguments)
    # The packages that are measured warn of their own calls.
    warnings.filterwarnings("ignore")
    options.out.mkdir(parents=True, exist_ok=True)
    if options.part == "commands":
        results = page.read(options.out)
        measured = list(commands.commands(options.tiny))
        page.write(replace(results, commands=measured), options.out)
        return
    size = TINY if options.tiny else Size()
    results = measure_work(size, options.data, options.only)
    if (options.out / "results.json").exists():
        before = page.read(options.out)
        results = replace(results, commands=before.commands)
        if options.only:
            results = with_rows(before, results.timings)
    page.write(results, options.out)


def with_rows(results: page.Results, timings: Sequence[Timing]) -> page.Results:
    """Put newly measured rows in the place of those of the same work; the others stay."""
    measured = {timing.work for timing in timings}
    kept = [timing for timing in results.timings if timing.work not in measured]
    order = list(dict.fromkeys(timing.work for timing in results.timings))
    rows = sorted([*kept, *timings], key=lambda timing: [*order, timing.work].index(timing.work))
    return replace(results, timings=rows)


def measure_work(size: Size, data: Path | None, only: str = "") -> page.Results:
    """Measure all work, or that whose name contains ``only``."""
    load, start = load_average(), time.perf_counter()
    machine = this_machine(matrix_product_rate(size.matrix), load)
    material = prepare(size, data)
    timings: list[Timing] = []
    for work in _works(material):
        if only in work.name:
            timings += _shown(measure(work))
    growths = [] if only else list(growth.growths(material))
    settings = {
        **asdict(size),
        "growth": list(size.growth),
        "clips": "synthetic" if data is None else "ESC-10",
        "minutes": round((time.perf_counter() - start) / 60, 1),
    }
    return page.Results(machine, settings, timings, growths, [])


def _works(material: Material) -> Iterator[Work]:
    yield from rows.works(material)
    yield from small.works(material)


def _shown(timings: list[Timing]) -> list[Timing]:
    for timing in timings:
        print(
            f"{timing.work:40.40} {timing.side:20} {timing.seconds:8.3f} s "
            f"{timing.cpu_seconds:8.3f} CPU s  ratio {timing.ratio:5.2f}  "
            f"{timing.rate:5.0f} GFLOP/s  {timing.peak:5.2f} GiB  {timing.difference:.1e}",
            flush=True,
        )
    return timings


def _parser() -> argparse.ArgumentParser:
    given = os.environ.get("AUDIOINTERP_DATA")
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("part", nargs="?", choices=("work", "commands"), default="work")
    parser.add_argument(
        "--data", type=Path, default=given and Path(given), help="default: AUDIOINTERP_DATA"
    )
    parser.add_argument("--out", type=Path, default=FOLDER, help="where the page is written")
    parser.add_argument(
        "--only", default="", help="measure rows whose name contains this; the others stay"
    )
    parser.add_argument("--tiny", action="store_true", help="a tiny network, to try the program")
    return parser


if __name__ == "__main__":
    torch.manual_seed(0)
    main()
