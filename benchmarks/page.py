"""Writes RESULTS.md and its picture from what was measured, which results.json keeps."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from .commands import Command
from .growth import Growth
from .machine import Machine
from .measure import LIBRARY, Timing
from .picture import draw

INTRODUCTION = """# How fast it is

Written by `make bench`; the rows of commands by `make bench-commands`. The published way of
computing (`benchmarks/published.py`) handles one clip at a time: it predicts the class by a forward
pass, and then calls captum, pytorch-grad-cam, shap, lime or Quantus, on a Cnn14 with functional
ReLUs. The library computes the same on the same clip with the same weights, in the same process.
The ways take turns, each first in turn; what is stated is the median of the runs, and for ratios
the median of the pairs, with quartiles in brackets.

The reference is the published way; of the training, `fit` on features in memory. `library` is what
`score` does (`optimize="folded"`); `library, not folded` is `optimize="none"`. GFLOP/s counts the
operations that the work needs by arithmetic, as direct convolutions, so whatever computes something
twice has a lower rate, and Winograd's method a higher one. Of SHAP it counts a forward and a
backward pass for each background clip, although a later clip needs no forward pass of them: such a
rate can exceed the machine's. CPU seconds of the training are those of all its epochs.
The difference is the largest one from the library's values, as a share of the largest value.
The published Grad-CAM has a ReLU and is scaled to [0, 1], and the published
SHAP does not see functional ReLUs, so these are not expected to agree.
"""


@dataclass(frozen=True)
class Results:
    """All that was measured.

    Attributes:
        machine: that measured.
        settings: the sizes of the work, by name.
        timings: of the ways of each work.
        growths: of the library's work with its size.
        commands: those that were run.
    """

    machine: Machine
    settings: dict[str, Any]
    timings: Sequence[Timing]
    growths: Sequence[Growth]
    commands: Sequence[Command]


def write(results: Results, folder: Path) -> None:
    """Write results.json, RESULTS.md and RESULTS.png into a folder."""
    (folder / "results.json").write_text(json.dumps(asdict(results), indent=1) + "\n")
    draw(results.timings, results.growths, folder / "RESULTS.png")
    (folder / "RESULTS.md").write_text("\n".join(_page(results)))


def read(folder: Path) -> Results:
    """Read what :func:`write` has kept."""
    stored = json.loads((folder / "results.json").read_text())
    growths = [
        Growth(entry["name"], entry["unit"], tuple(entry["multiples"]), tuple(entry["seconds"]))
        for entry in stored["growths"]
    ]
    return Results(
        Machine(**stored["machine"]),
        stored["settings"],
        [Timing(**entry) for entry in stored["timings"]],
        growths,
        [Command(**entry) for entry in stored["commands"]],
    )


def _page(results: Results) -> list[str]:
    return [
        INTRODUCTION,
        *_machine(results.machine),
        "",
        "![Ratios and growth](RESULTS.png)",
        "",
        *_table(results),
        "",
        *_growth(results.growths),
        "",
        *_commands(results.commands),
        "",
        "The settings: " + ", ".join(f"{key} {value}" for key, value in results.settings.items()),
        "",
    ]


def _machine(machine: Machine) -> list[str]:
    head = ["| the machine | |", "|---|---|"]
    units = {"memory": ", GiB", "matrix_product": ", GFLOP/s"}
    rows = [
        f"| {field.name.replace('_', ' ')}{units.get(field.name, '')} | "
        f"{getattr(machine, field.name)} |"
        for field in fields(machine)
    ]
    return head + rows


def _table(results: Results) -> list[str]:
    head = [
        "| work | way | seconds | CPU seconds | reference / this | goal | GFLOP/s | of the matrix "
        "product | peak memory, GiB | difference |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    return head + [_row(timing, results.machine.matrix_product) for timing in results.timings]


def _row(timing: Timing, matrix_product: float) -> str:
    ratio = f"{timing.ratio:.2f} [{timing.ratio_low:.2f}, {timing.ratio_high:.2f}]"
    goal = f"{timing.goal:g} {'met' if timing.ratio >= timing.goal else 'missed'}"
    cells = [
        timing.work,
        f"**{timing.side}**" if timing.side == LIBRARY else timing.side,
        f"{timing.seconds:.3g} [{timing.low:.3g}, {timing.high:.3g}]",
        f"{timing.cpu_seconds:.3g}",
        ratio if timing.ratio else "",
        goal if timing.goal else "",
        f"{timing.rate:.0f}" if timing.rate else "",
        f"{timing.rate / matrix_product:.0%}" if timing.rate else "",
        f"{timing.peak:.2f}" if timing.peak else "",
        f"{timing.difference:.1e}" if timing.difference >= 0 else "",
    ]
    return f"| {' | '.join(cells)} |"


def _growth(growths: Sequence[Growth]) -> list[str]:
    if not growths:
        return []
    multiples = growths[0].multiples
    counts = " | ".join(f"{multiple} ×" for multiple in multiples)
    head = [
        f"| seconds, by the number of | 1 × is | {counts} |",
        "|---|---|" + "---|" * len(multiples),
    ]
    rows = [
        f"| {growth.name} | {growth.unit} | "
        + " | ".join(f"{seconds:.3g}" for seconds in growth.seconds)
        + " |"
        for growth in growths
    ]
    return head + rows


def _commands(commands: Sequence[Command]) -> list[str]:
    head = ["| command | seconds | CPU seconds | at most | status |", "|---|---|---|---|---|"]
    rows = [
        f"| {command.name} | {command.seconds:.3g} | {command.cpu_seconds:.3g} | "
        f"{command.goal:g} | {command.status} |"
        for command in commands
    ]
    note = (
        "`make results` is not timed here: it takes hours on ESC-50, and the version before this "
        "one is not at hand to be run on the same plan and machine."
    )
    return [*head, *rows, "", note] if rows else [note]
