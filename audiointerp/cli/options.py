"""What the commands share: the application, common options, and how their values are read."""

import shlex
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from ..errors import ArgumentError
from .help_text import Commands

app = typer.Typer(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Show, and let people hear, why an audio classifier decided.",
)

# Names of the registries, which import torch and would slow down --help; a test compares them.
METHOD_NAMES = (
    "saliency",
    "gradcam",
    "shap",
    "lime",
    "random",
    "integrated_gradients",
    "smoothgrad",
    "gradient_shap",
    "kernel_shap",
    "occlusion",
    "guided_gradcam",
    "layercam",
    "rise",
    "rise_logit",
    "mask_gradient",
    "optimal",
)
MASK_NAMES = (
    "bin",
    "minmax",
    "sigmoid",
    "topK_5",
    "topK_30",
    "topK_50",
    "minmax_pos",
    "sigmoid_pos",
    "pos_thresh_25",
    "pos_thresh_50",
    "pos_thresh_75",
    "topK_5_pos",
    "topK_30_pos",
    "topK_50_pos",
)
FILL_NAMES = ("silence", "background", "mean", "blur", "noise", "swap")
NULL_NAMES = ("pixelwise", "smooth", "rolled", "other", "matched")
NETWORK_NAMES = (
    "esc10-mel",
    "esc10-mel-absolute",
    "esc10-mel-long",
    "esc10-mel-noise",
    "esc10-stft",
    "esc10-stft-absolute",
    "synthetic-mel",
)
ALL_NULLS = ",".join(NULL_NAMES)
MASKS_HELP = f"{', '.join(MASK_NAMES)}; also topK_20 or another percentage, for all that have one"


def check_folder(path: Path) -> Path:
    """Refuse a folder that cannot be made or written to, before anything is computed.

    Raises:
        ArgumentError: it is a file, or lies in one, or the system refuses to write there.

    >>> check_folder(Path("new/folder")).name
    'folder'
    """
    existing = next((each for each in (path, *path.parents) if each.exists()), None)
    if existing is not None and not existing.is_dir():
        raise ArgumentError(f"--out {path}: {existing} is a file; give a folder")
    if existing is not None:
        try:
            # What the system would refuse is known only when it is tried.
            tempfile.TemporaryDirectory(prefix=".audiointerp-", dir=existing).cleanup()
        except OSError as error:
            raise ArgumentError(
                f"--out {path}: nothing can be written into {existing} "
                f"({error.strerror or error}); give another folder"
            ) from error
    return path


def starting_with(names: Sequence[str]) -> Callable[[str], list[str]]:
    """Return what a shell calls to complete one of several names.

    >>> starting_with(["lime", "level", "shap"])("l")
    ['lime', 'level']
    """

    def completions(incomplete: str) -> list[str]:
        return [name for name in names if name.startswith(incomplete)]

    return completions


# As a path, "./esc10-mel" would be the name esc10-mel.
Weights = Annotated[
    str | None,
    typer.Option(
        "--weights",
        autocompletion=starting_with(NETWORK_NAMES),
        help="A classifier written by train; or one that comes with the library: "
        f"{', '.join(NETWORK_NAMES)}.",
    ),
]
Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        help="Code of your own that makes the classifier, module:function; with --weights, these "
        "are read into it.",
    ),
]
HuggingFace = Annotated[
    str | None,
    typer.Option("--hf", help="A Hugging Face model: a folder of save_pretrained, or a name."),
]
On = Annotated[
    str | None,
    typer.Option(
        "--on",
        help="What is scored, comma-separated: features, audio (the masked sound, classified).",
    ),
]
Data = Annotated[
    Path | None,
    typer.Option("--data", help="A folder in the layout of ESC-50; default: synthetic clips."),
]
Clips = Annotated[
    Path | None,
    typer.Option(
        "--clips",
        help="Clips of your own instead of --data: a folder with one subfolder per class, or a CSV "
        "table.",
    ),
]
Subset = Annotated[str | None, typer.Option(help="esc10: the ten classes of ESC-10.")]
Device = Annotated[str, typer.Option(help="cpu, cuda, cuda:1, mps, …")]
Workers = Annotated[
    int,
    typer.Option(
        min=1,
        help="Worker processes, one thread each; on a CPU, one per core is fastest.",
    ),
]
Resume = Annotated[
    bool,
    typer.Option(help="Keep finished clips and retry failed ones; or start again from nothing."),
]
Background = Annotated[
    Path | None,
    typer.Option(help="For shap and gradient_shap: a folder of background clips."),
]
Masks = Annotated[
    str | None, typer.Option(help="Comma-separated, also e.g. topK_20; default: all.")
]
Fill = Annotated[
    str | None,
    typer.Option(help=f"What removed bins become, comma-separated: {', '.join(FILL_NAMES)}."),
]
Nulls = Annotated[
    str, typer.Option(help="What each mask is compared with, comma-separated; or none.")
]
Curves = Annotated[bool, typer.Option(help="Also compute the areas under deletion and insertion.")]
Attributions = Annotated[bool, typer.Option(help="Keep the attributions beside the scores.")]
MaxErrors = Annotated[
    int,
    typer.Option(min=0, help="Failed clips per method that are accepted with exit status 0."),
]
Protocol = Annotated[
    str, typer.Option(help="corrected; or published, with the faults of the published code.")
]
Out = Annotated[Path, typer.Option(callback=check_folder, help="The folder to write to.")]
Results = Annotated[Path, typer.Option(help="The folder of results.")]


def names_in(text: str, option: str) -> list[str]:
    """Split a comma-separated list of names.

    Args:
        text: the list.
        option: its name in a shell, for errors.

    Raises:
        ArgumentError: the list is empty, or a name is repeated.

    >>> names_in("saliency, shap", "--methods")
    ['saliency', 'shap']
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names or len(set(names)) < len(names):
        raise ArgumentError(
            f"{option} {text!r}: give one or more different names, separated by commas"
        )
    return names


def numbers_in(text: str, option: str) -> list[int]:
    """Split a comma-separated list of whole numbers.

    Args: see :func:`names_in`.

    Raises:
        ArgumentError: as for :func:`names_in`, or an entry is not a whole number.

    >>> numbers_in("0,1,2", "--seeds")
    [0, 1, 2]
    """
    names = names_in(text, option)
    try:
        return [int(name) for name in names]
    except ValueError:
        raise ArgumentError(
            f"{option} {text!r}: give whole numbers separated by commas, e.g. 0,1,2"
        ) from None


def shard_in(text: str) -> tuple[int, int]:
    """Read a shard "i/n" as the numbers i and n.

    Raises:
        ArgumentError: the text has another form, or there is no such part.

    >>> shard_in("2/4")
    (2, 4)
    """
    number, slash, count = text.partition("/")
    if not (slash and number.isdecimal() and count.isdecimal()):
        raise ArgumentError(f"--shard {text}: give e.g. 2/4 for the second of four parts")
    if not 1 <= int(number) <= int(count):
        raise ArgumentError(f"--shard {text}: the first is 1/{count}, the last {count}/{count}")
    return int(number), int(count)


def command_line() -> str:
    """Return the running command as it would be typed in a shell.

    >>> isinstance(command_line(), str)
    True
    """
    name = Path(sys.argv[0]).name
    # Of python -m audiointerp.
    return shlex.join(["audiointerp" if name == "__main__.py" else name, *sys.argv[1:]])
