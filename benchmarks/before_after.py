"""How much faster a plan of ``make results`` is than at an earlier commit: whole processes in turn.

``git worktree add ../before 485f939`` makes a checkout of the commit before work on speed began;
``python -m benchmarks.before_after ../before --data FOLDER`` runs a small share of the plan with it
and with this one, and prints a table. The plan is what both know: the mel experiment on clean
clips, five methods, fourteen masks, features and audio, silence, the four nulls of that commit.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).parents[1]
WEIGHTS = Path("weights") / "esc10_mel_cnn10.safetensors"
METHODS = ("saliency", "gradcam", "shap", "lime", "random")
COMPARED = ("p", "p_in", "p_out")

# Runs in either checkout, so it uses only what both have.
PROGRAM = """
import inspect, sys
import torch
import audiointerp as ai
weights, data, out, clips, methods = sys.argv[1:]
torch.manual_seed(0)
classifier = ai.Classifier.load(weights)
settings = dict(
    sample_rate=classifier.sample_rate, duration=classifier.duration, normalize="peak"
)
subset = "esc10" if data else None
open_folds = lambda folds: ai.experiments.open_data(data or None, folds, subset, **settings)
background = ai.experiments.background_of(open_folds((1, 2, 3)), classifier.transform)
plan = dict(on=["features", "audio"], nulls=["pixelwise", "smooth", "rolled", "other"])
if "fill" in inspect.signature(ai.run).parameters:
    plan["fill"] = "silence"
rows = ai.run(
    "mel_clean", classifier, ai.dataset.EvenSubset(open_folds((5,)), int(clips)),
    methods.split(","), out, background=background, progress=False, **plan,
)
rows.to_csv(f"{out}/rows.csv", index=False)
"""


@dataclass(frozen=True)
class Run:
    """A process that ran the plan.

    Attributes:
        seconds: by the clock.
        cpu_seconds: of the processor.
        rows: the results.
    """

    seconds: float
    cpu_seconds: float
    rows: pd.DataFrame


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the plan in both checkouts in turn, and print the table."""
    given = os.environ.get("AUDIOINTERP_DATA", "")
    parser = argparse.ArgumentParser(prog="python -m benchmarks.before_after", description=__doc__)
    parser.add_argument("before", type=Path, help="a checkout of the earlier commit")
    parser.add_argument("--data", default=given, help="default: AUDIOINTERP_DATA, else synthetic")
    parser.add_argument("--clips", type=int, default=8, help="evenly spaced, of fold 5")
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--pairs", type=int, default=3, help="how often each checkout runs")
    options = parser.parse_args(arguments)
    plan = (options.data and str(Path(options.data).resolve()), options.clips, options.methods)
    pairs = [
        (run_in(options.before.resolve(), *plan), run_in(ROOT, *plan)) for _ in range(options.pairs)
    ]
    print("\n".join(table(pairs)))


def run_in(checkout: Path, data: str, clips: int, methods: str) -> Run:
    """Run the plan with the code of a checkout, in a process of its own with one thread."""
    with tempfile.TemporaryDirectory() as out:
        weights = str(ROOT / WEIGHTS)
        command = [sys.executable, "-c", PROGRAM, weights, data, out, str(clips), methods]
        environment = {**os.environ, "PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"}
        start, used = time.perf_counter(), _cpu_of_children()
        subprocess.run(command, cwd=checkout, env=environment, check=True)
        seconds, cpu_seconds = time.perf_counter() - start, _cpu_of_children() - used
        return Run(seconds, cpu_seconds, pd.read_csv(Path(out) / "rows.csv"))


def table(pairs: Sequence[tuple[Run, Run]]) -> list[str]:
    """Return the lines of the table: seconds of both, and the medians of their ratios.

    >>> rows = pd.DataFrame({"method": ["a"], "p": [0.5], "p_in": [0.5], "p_out": [0.5]})
    >>> rows = rows.assign(clip="a", on="features", mask="bin")
    >>> table([(Run(8.0, 6.0, rows), Run(4.0, 2.0, rows))])[-2:]
    ['| ratio | 2.00 | 3.00 |', 'Largest median difference of p, p_in or p_out by method: 0.0e+00']
    """
    lines = ["| | seconds | CPU seconds |", "|---|---|---|"]
    for number, name in enumerate(("before", "now")):
        seconds = statistics.median(pair[number].seconds for pair in pairs)
        cpu_seconds = statistics.median(pair[number].cpu_seconds for pair in pairs)
        lines.append(f"| {name} | {seconds:.1f} | {cpu_seconds:.1f} |")
    ratio = statistics.median(before.seconds / now.seconds for before, now in pairs)
    cpu_ratio = statistics.median(before.cpu_seconds / now.cpu_seconds for before, now in pairs)
    lines.append(f"| ratio | {ratio:.2f} | {cpu_ratio:.2f} |")
    difference = max(largest_difference(before.rows, now.rows) for before, now in pairs)
    return [*lines, f"Largest median difference of p, p_in or p_out by method: {difference:.1e}"]


def largest_difference(before: pd.DataFrame, now: pd.DataFrame) -> float:
    """Return the largest of the methods' median differences of the probabilities.

    The median, since a bin that rounding moves into a mask changes single rows.
    """
    keys = ["clip", "method", "on", "mask"]
    both = before.merge(now, on=keys, suffixes=("", "_now"), validate="one_to_one")
    if not len(before) == len(now) == len(both):
        raise RuntimeError(f"{len(before)} rows before, {len(now)} now, {len(both)} in common")
    differences = [(both[name] - both[f"{name}_now"]).abs() for name in COMPARED]
    medians = [values.groupby(both["method"]).median().max() for values in differences]
    return float(max(medians))


def _cpu_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
