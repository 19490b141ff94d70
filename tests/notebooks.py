"""Runs the notebooks in place, removes their sounds and checks the outputs: ``make notebooks``.

    python tests/notebooks.py                           run all ten
    python tests/notebooks.py experiments_mel tables    run these
    python tests/notebooks.py experiments_mel --set CLIPS=2 --out DIR
                                                        run with other parameters, write to DIR
    python tests/notebooks.py --share experiments_mel   copy its cells to the notebooks sharing them

Notebooks share cells: cells of one id are equal, except for the title and the parameters.
"""

import argparse
import ast
import base64
import io
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode
from PIL import Image
from traitlets.config import Config

ROOT = Path(__file__).parents[1]
NAMES = (
    "train_model_stft",
    "train_model_mel",
    "experiments_stft",
    "experiments_mel",
    "experiments_mel_noise1",
    "experiments_mel_noise2",
    "experiments_mel_noise3",
    "tables",
    "your_own_model",
    "recordings",
)
OWN = ("title", "parameters")
"""Cells that notebooks do not share."""
LARGEST = 1_500_000
"""The largest size of a committed notebook, in bytes."""
LEFT_OUT = "(sound left out)"
HOW_TO_HEAR = "Sounds are left out of this copy; run the cell to hear them."
PLAYERS = [
    re.compile(pattern, re.S | re.I)
    for pattern in (
        r"<audio\b.*?</audio\s*>",
        r"<audio\b[^>]*>",
        r"<IPython\.lib\.display\.Audio object>",
        r"data:(?:audio|video)/[^\s\"'<>)]*",
    )
]
SOUND = re.compile(
    r"data:(?:audio|video)/|<audio\b"
    r"|(?:^|base64,)(?:UklGR(?!.{6}XRUJQ)|ZkxhQ|T2dnU|SUQz|//[uv])",
    re.I | re.M,
)
"""Signs of a sound: a player, a URI, or the first bytes of RIFF, FLAC, Ogg and MP3 in base64.

A WebP picture is RIFF as well, with WEBP from its ninth byte."""
PNG = re.compile(r"(data:image/png;base64,)([\w+/=]+)")
PICTURE_DATA = re.compile(r"data:image/[\w+.-]+;base64,[\w+/=]+")
ABSOLUTE = re.compile(r"(?<![\w.:/<+-])(?:~|/[A-Za-z_][\w.-]*)/[\w.-]+|\b[A-Z]:\\\w|file://", re.M)
WIDGET = "application/vnd.jupyter.widget-view+json"
CUT_CLIP = re.compile(r"^.*AudioWarning: .* are cut off, .*\n(?:  .*\n)?", re.M)
"""The warning of a clip that is longer than the data set's, with the line of code below it."""
WARNING = re.compile(r"\b\w*Warning\b:")


def read(path: Path) -> NotebookNode:
    """Read a notebook, converted to the current format."""
    return nbformat.read(path, as_version=4)


def write(notebook: NotebookNode, path: Path) -> None:
    """Write a notebook in one step, so that a crash leaves the old file."""
    nbformat.validate(notebook)
    part = path.with_name(f".{path.name}.part")
    part.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")
    part.replace(path)


def with_parameters(notebook: NotebookNode, values: Mapping[str, Any]) -> NotebookNode:
    """Return the notebook with other values in the cell tagged as parameters.

    Raises:
        ValueError: the notebook has no such parameter.
    """
    changed = NotebookNode(nbformat.from_dict(notebook))
    (cell,) = (cell for cell in changed.cells if "parameters" in cell.metadata.get("tags", []))
    known = re.findall(r"^(\w+) =", cell.source, re.M)
    for name, value in values.items():
        if name not in known:
            raise ValueError(f"no parameter {name}; there are: {', '.join(known)}")
        line = f"{name} = {value!r}"
        cell.source = "\n".join(
            line if old.startswith(f"{name} =") else old for old in cell.source.split("\n")
        )
    return changed


def executed(notebook: NotebookNode, folder: Path, timeout: int | None = None) -> NotebookNode:
    """Run a notebook from top to bottom in a clean kernel, and return it with its outputs.

    Raises:
        CellExecutionError: a cell failed.
    """
    fresh = NotebookNode(nbformat.from_dict(notebook))
    # Over TCP the kernel warns that others may listen, so it uses sockets.
    with tempfile.TemporaryDirectory() as sockets:
        transport = Config(KernelManager={"transport": "ipc", "ip": f"{sockets}/kernel"})
        client = NotebookClient(
            fresh,
            timeout=timeout,
            startup_timeout=300,
            kernel_name="python3",
            record_timing=False,
            config=transport,
            resources={"metadata": {"path": str(folder)}},
        )
        client.execute()
    return fresh


def to_commit(notebook: NotebookNode) -> NotebookNode:
    """Return the copy that is committed: without sounds, paths and bars, with small pictures."""
    return with_light_pictures(without_sounds(without_bars(without_clip_warnings(notebook))))


def without_bars(notebook: NotebookNode) -> NotebookNode:
    """Leave out progress bars, which without a kernel are the text of their first moment."""
    done = NotebookNode(nbformat.from_dict(notebook))
    for cell in done.cells:
        if "outputs" in cell:
            cell.outputs = [each for each in cell.outputs if WIDGET not in each.get("data", {})]
    return done


def without_clip_warnings(notebook: NotebookNode) -> NotebookNode:
    """Leave out warnings of clips that are cut: they name paths of this machine."""
    quiet = NotebookNode(nbformat.from_dict(notebook))
    for cell in quiet.cells:
        for output in cell.get("outputs", []):
            if output.get("name") == "stderr":
                output.text = CUT_CLIP.sub("", output.text)
        if "outputs" in cell:
            cell.outputs = [output for output in cell.outputs if output.get("text") != ""]
    return quiet


def without_sounds(notebook: NotebookNode) -> NotebookNode:
    """Replace every player by a line; pictures, tables and printed gains stay."""
    silent = NotebookNode(nbformat.from_dict(notebook))
    silent.metadata.pop("widgets", None)
    for cell in silent.cells:
        for output in cell.get("outputs", []):
            if "data" in output:
                output.data = NotebookNode(_silent_data(output.data))
            if "text" in output:
                output.text = _silent_text("text/plain", output.text)
    return silent


def _silent_data(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the forms of one output, without sounds."""
    kept = {}
    for kind, content in data.items():
        if kind.startswith(("audio/", "video/")):
            kept.setdefault("text/plain", HOW_TO_HEAR)
        elif kind.startswith("text/"):
            kept[kind] = _silent_text(kind, content)
        elif not SOUND.search(str(content)):
            kept[kind] = content
    return kept or {"text/plain": HOW_TO_HEAR}


def _silent_text(kind: str, text: str) -> str:
    silent = text
    for pattern in PLAYERS:
        silent = pattern.sub(LEFT_OUT, silent)
    if silent == text:
        return text
    return silent + (
        f"<p><small>{HOW_TO_HEAR}</small></p>" if kind == "text/html" else f"\n{HOW_TO_HEAR}"
    )


def with_light_pictures(notebook: NotebookNode) -> NotebookNode:
    """Reduce each PNG picture to 256 colours: a third of the bytes, no visible change."""
    light = NotebookNode(nbformat.from_dict(notebook))
    for cell in light.cells:
        for output in cell.get("outputs", []):
            for kind, content in output.get("data", {}).items():
                if kind == "image/png":
                    output.data[kind] = _in_few_colours(content)
                elif kind == "text/html":
                    output.data[kind] = PNG.sub(
                        lambda found: found[1] + _in_few_colours(found[2]), content
                    )
    return light


def _in_few_colours(png: str) -> str:
    buffer = io.BytesIO()
    picture = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")
    picture.quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(
        buffer, "png", optimize=True
    )
    return base64.b64encode(buffer.getvalue()).decode()


def faults(notebook: NotebookNode) -> list[str]:
    """List what a committed notebook must not have: errors, warnings, sounds, paths, many bytes."""
    problems = []
    for number, cell in enumerate(notebook.cells, 1):
        here = f"cell {number} ({cell.get('id', '')})"
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                problems.append(f"{here}: {output.ename}: {output.evalue}")
            if output.get("name") == "stderr":
                problems.append(f"{here}: wrote to stderr: {output.text[:200]!r}")
        for kind, text in _texts(cell):
            if kind.startswith(("audio/", "video/")) or SOUND.search(text):
                problems.append(f"{here}: a sound in {kind}")
            if kind.startswith("image/png") or kind.startswith("image/jpeg"):
                continue
            plain = PICTURE_DATA.sub("", text)
            problems += [
                f"{here}: the absolute path {path.group()!r} in {kind}"
                for path in ABSOLUTE.finditer(plain)
            ]
            if kind != "source" and WARNING.search(plain):
                problems.append(f"{here}: a warning in {kind}")
    if "widgets" in notebook.metadata:
        problems.append("the notebook keeps the state of widgets")
    size = len(nbformat.writes(notebook).encode())
    return problems + ([f"{size} bytes are more than {LARGEST}"] if size > LARGEST else [])


def _texts(cell: NotebookNode) -> Iterator[tuple[str, str]]:
    """Yield every text of a cell, with its kind."""
    yield "source", cell.source
    for name, forms in cell.get("attachments", {}).items():
        yield from ((kind, f"{name} {content}") for kind, content in forms.items())
    for output in cell.get("outputs", []):
        yield from ((kind, str(content)) for kind, content in output.get("data", {}).items())
        yield "text", str(output.get("text", ""))


def share(source: NotebookNode, other: NotebookNode) -> NotebookNode:
    """Return ``other`` with the sources of the cells that it shares with ``source``."""
    changed = NotebookNode(nbformat.from_dict(other))
    shared = {cell.id: cell.source for cell in source.cells if cell.id not in OWN}
    for cell in changed.cells:
        cell.source = shared.get(cell.id, cell.source)
    return changed


def make(name: str, values: Mapping[str, Any], out: Path) -> list[str]:
    """Run a notebook and write it if it has no faults; return the faults."""
    notebook = with_parameters(read(ROOT / f"{name}.ipynb"), values)
    try:
        result = to_commit(executed(notebook, ROOT))
    except CellExecutionError as error:
        return [str(error)]
    problems = faults(result)
    if not problems:
        write(result, out / f"{name}.ipynb")
    return problems


def _assignment(text: str) -> tuple[str, Any]:
    name, _, value = text.partition("=")
    return name, ast.literal_eval(value)


def main() -> None:
    """Run as the module's docstring says; exit with 1 if a notebook has faults."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"from {', '.join(NAMES)}; default: all"
    )
    parser.add_argument(
        "--set",
        type=_assignment,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter",
    )
    parser.add_argument("--out", type=Path, help="the folder to write to; default: in place")
    parser.add_argument(
        "--share",
        choices=NAMES,
        metavar="NAME",
        help="copy the shared cells of this one, and run nothing",
    )
    given = parser.parse_args()
    names = [name.removesuffix(".ipynb") for name in given.names] or list(NAMES)
    if set(names) - set(NAMES) or (given.set and given.out is None):
        parser.error(f"notebooks are {', '.join(NAMES)}; --set is for a trial and needs --out")
    if given.share:
        for name in NAMES:
            write(
                share(read(ROOT / f"{given.share}.ipynb"), read(ROOT / f"{name}.ipynb")),
                ROOT / f"{name}.ipynb",
            )
        return
    # Otherwise the debugger warns on stderr.
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    failed = False
    for name in names:
        print(f"{name} …", flush=True)
        problems = make(name, dict(given.set), given.out or ROOT)
        failed |= bool(problems)
        print("\n".join(problems) or "  done", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
