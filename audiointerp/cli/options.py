"""What the commands share: the application, options, lists in one word."""

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from ..errors import ArgumentError

app = typer.Typer(
    add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None,
    help="Show, and let people hear, why an audio classifier decided.",
)  # fmt: skip

Data = Annotated[
    Path | None, typer.Option("--data", help="A folder in the layout of ESC-50; the made set if left out.")
]
Subset = Annotated[str | None, typer.Option(help="esc10: the ten classes of ESC-10.")]
Device = Annotated[str, typer.Option(help="cpu, cuda, cuda:1, mps, …")]
Workers = Annotated[
    int,
    typer.Option(min=1, help="Processes that compute, one thread each: on a CPU, as many as it has cores is fastest."),
]
Resume = Annotated[
    bool, typer.Option(help="Go on with what is in the folder of results, and try errors again; or begin anew.")
]
Background = Annotated[
    Path | None,
    typer.Option(help="For shap and gradient_shap: a folder of sounds to compare with, some training clips say."),
]
METHOD_NAMES = (
    "saliency, gradcam, shap, lime, random; integrated_gradients, smoothgrad, gradient_shap, kernel_shap, occlusion, "
    "guided_gradcam, layercam."
)
Protocol = Annotated[str, typer.Option(help="sound; or published, with the faults of the published code.")]
MASK_NAMES = (
    "bin, minmax, sigmoid, topK_5, topK_30, topK_50, minmax_pos, sigmoid_pos, pos_thresh_25, pos_thresh_50, pos_thresh_75, "
    "topK_5_pos, topK_30_pos or topK_50_pos."
)


def names_in(text: str) -> list[str]:
    """The names in a list with commas.

    Raises:
        ArgumentError: there is none, or one comes twice.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names or len(set(names)) < len(names):
        raise ArgumentError(f"{text!r}: give one or more different names, separated by commas")
    return names


def numbers_in(text: str) -> list[int]:
    """The whole numbers in a list with commas; errors are those of :func:`names_in`."""
    names = names_in(text)
    try:
        return [int(name) for name in names]
    except ValueError:
        raise ArgumentError(f"{text!r}: give whole numbers separated by commas, 0,1,2 say") from None


def shard_in(text: str) -> tuple[int, int]:
    """The (i, n) of "i/n".

    >>> shard_in("2/4")
    (2, 4)
    """
    number, slash, count = text.partition("/")
    if not (slash and number.isdecimal() and count.isdecimal()):
        raise ArgumentError(f"--shard {text}: give 2/4 for the second of four parts")
    return int(number), int(count)


def command_line() -> str:
    """The command line that is running, as one would type it."""
    return shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
