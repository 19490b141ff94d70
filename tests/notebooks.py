"""Runs the notebooks in place, takes the sounds out of the copy that is committed, and checks what is left: ``make notebooks``.

    python tests/notebooks.py                                          all eight
    python tests/notebooks.py experiments_mel tables                   these
    python tests/notebooks.py experiments_mel --set CLIPS=2 --out DIR  a trial, with other parameters, written elsewhere
    python tests/notebooks.py --share experiments_mel                  its cells into every notebook that has the same cell

Notebooks share cells: two cells of one id are the same cell, but for the title and the parameters.
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
    "train_model_stft", "train_model_mel", "experiments_stft", "experiments_mel", "experiments_mel_noise1",
    "experiments_mel_noise2", "experiments_mel_noise3", "tables",
)  # fmt: skip
OWN = ("title", "parameters")
"""Cells that each notebook has for itself."""
LARGEST = 1_500_000
"""Bytes of a committed notebook."""
LEFT_OUT = "(sound left out)"
HOW_TO_HEAR = "Sounds are left out of this copy; run the cell to hear them."
PLAYERS = [
    re.compile(pattern, re.S | re.I)
    for pattern in (
        r"<audio\b.*?</audio\s*>", r"<audio\b[^>]*>", r"<IPython\.lib\.display\.Audio object>",
        r"data:(?:audio|video)/[^\s\"'<>)]*",
    )
]  # fmt: skip
SOUND = re.compile(r"data:(?:audio|video)/|<audio\b|(?:^|base64,)(?:UklGR|ZkxhQ|T2dnU|SUQz|//[uv])", re.I | re.M)
"""What tells of a sound: a player, a URI, or how RIFF, FLAC, Ogg and MP3 begin in base64."""
PNG = re.compile(r"(data:image/png;base64,)([\w+/=]+)")
PICTURE_DATA = re.compile(r"data:image/[\w+.-]+;base64,[\w+/=]+")
ABSOLUTE = re.compile(r"(?<![\w.:/<+-])(?:~|/[A-Za-z_][\w.-]*)/[\w.-]+|\b[A-Z]:\\\w|file://", re.M)
WARNING = re.compile(r"\b\w*Warning\b:")


def read(path: Path) -> NotebookNode:
    """A notebook in the present format."""
    return nbformat.read(path, as_version=4)


def write(notebook: NotebookNode, path: Path) -> None:
    """Whole or not at all."""
    nbformat.validate(notebook)
    part = path.with_name(f".{path.name}.part")
    part.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")
    part.replace(path)


def with_parameters(notebook: NotebookNode, values: Mapping[str, Any]) -> NotebookNode:
    """The notebook with other values in its tagged cell.

    Raises:
        ValueError: it has no such parameter.
    """
    changed = NotebookNode(nbformat.from_dict(notebook))
    (cell,) = (cell for cell in changed.cells if "parameters" in cell.metadata.get("tags", []))
    known = re.findall(r"^(\w+) =", cell.source, re.M)
    for name, value in values.items():
        if name not in known:
            raise ValueError(f"no parameter {name}; there are: {', '.join(known)}")
        line = f"{name} = {value!r}"
        cell.source = "\n".join(line if old.startswith(f"{name} =") else old for old in cell.source.split("\n"))
    return changed


def executed(notebook: NotebookNode, folder: Path, timeout: int | None = None) -> NotebookNode:
    """The notebook run from top to bottom in a clean kernel; a cell that fails raises ``CellExecutionError``."""
    fresh = NotebookNode(nbformat.from_dict(notebook))
    with tempfile.TemporaryDirectory() as sockets:  # over TCP the kernel warns that others may listen
        transport = Config(KernelManager={"transport": "ipc", "ip": f"{sockets}/kernel"})
        client = NotebookClient(
            fresh, timeout=timeout, startup_timeout=300, kernel_name="python3", record_timing=False, config=transport,
            resources={"metadata": {"path": str(folder)}},
        )  # fmt: skip
        client.execute()
    return fresh


def to_commit(notebook: NotebookNode) -> NotebookNode:
    """The copy that is committed: silent, with light pictures."""
    return with_light_pictures(without_sounds(notebook))


def without_sounds(notebook: NotebookNode) -> NotebookNode:
    """The notebook with a line in the place of every player; pictures, tables and printed gains stay."""
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
    """The forms of one output without those that hold sound and are no text."""
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
    return silent + (f"<p><small>{HOW_TO_HEAR}</small></p>" if kind == "text/html" else f"\n{HOW_TO_HEAR}")


def with_light_pictures(notebook: NotebookNode) -> NotebookNode:
    """The notebook with its PNG pictures in 256 colours each: a third of the bytes, and no colour far from what it was."""
    light = NotebookNode(nbformat.from_dict(notebook))
    for cell in light.cells:
        for output in cell.get("outputs", []):
            for kind, content in output.get("data", {}).items():
                if kind == "image/png":
                    output.data[kind] = _in_few_colours(content)
                elif kind == "text/html":
                    output.data[kind] = PNG.sub(lambda found: found[1] + _in_few_colours(found[2]), content)
    return light


def _in_few_colours(png: str) -> str:
    buffer = io.BytesIO()
    picture = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")
    picture.quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(buffer, "png", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode()


def faults(notebook: NotebookNode) -> list[str]:
    """What a committed notebook must not have: errors, warnings, sounds, absolute paths, too many bytes."""
    found = []
    for number, cell in enumerate(notebook.cells, 1):
        here = f"cell {number} ({cell.get('id', '')})"
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                found.append(f"{here}: {output.ename}: {output.evalue}")
            if output.get("name") == "stderr":
                found.append(f"{here}: wrote to stderr: {output.text[:200]!r}")
        for kind, text in _texts(cell):
            if kind.startswith(("audio/", "video/")) or SOUND.search(text):
                found.append(f"{here}: a sound in {kind}")
            if kind.startswith("image/png") or kind.startswith("image/jpeg"):
                continue
            plain = PICTURE_DATA.sub("", text)
            found += [f"{here}: the absolute path {path.group()!r} in {kind}" for path in ABSOLUTE.finditer(plain)]
            if kind != "source" and WARNING.search(plain):
                found.append(f"{here}: a warning in {kind}")
    if "widgets" in notebook.metadata:
        found.append("the notebook keeps the state of widgets")
    size = len(nbformat.writes(notebook).encode())
    return found + ([f"{size} bytes are more than {LARGEST}"] if size > LARGEST else [])


def _texts(cell: NotebookNode) -> Iterator[tuple[str, str]]:
    """Everything that a cell says, with its kind."""
    yield "source", cell.source
    for name, forms in cell.get("attachments", {}).items():
        yield from ((kind, f"{name} {content}") for kind, content in forms.items())
    for output in cell.get("outputs", []):
        yield from ((kind, str(content)) for kind, content in output.get("data", {}).items())
        yield "text", str(output.get("text", ""))


def share(source: NotebookNode, other: NotebookNode) -> NotebookNode:
    """``other`` with the cells that it shares with ``source`` as they are there."""
    changed = NotebookNode(nbformat.from_dict(other))
    theirs = {cell.id: cell.source for cell in source.cells if cell.id not in OWN}
    for cell in changed.cells:
        cell.source = theirs.get(cell.id, cell.source)
    return changed


def make(name: str, values: Mapping[str, Any], out: Path) -> list[str]:
    """Run, strip, check and, if there is nothing to complain of, write; the complaints."""
    notebook = with_parameters(read(ROOT / f"{name}.ipynb"), values)
    try:
        made = to_commit(executed(notebook, ROOT))
    except CellExecutionError as error:
        return [str(error)]
    found = faults(made)
    if not found:
        write(made, out / f"{name}.ipynb")
    return found


def _assignment(text: str) -> tuple[str, Any]:
    name, _, value = text.partition("=")
    return name, ast.literal_eval(value)


def main() -> None:
    """Run as the module's docstring says; exit status 1 if something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; all if left out")
    parser.add_argument(
        "--set", type=_assignment, action="append", default=[], metavar="NAME=VALUE", help="a parameter"
    )
    parser.add_argument("--out", type=Path, help="where to write; in place if left out")
    parser.add_argument("--share", choices=NAMES, metavar="NAME", help="spread the cells of this one, and run nothing")
    given = parser.parse_args()
    names = [name.removesuffix(".ipynb") for name in given.names] or list(NAMES)
    if set(names) - set(NAMES) or (given.set and given.out is None):
        parser.error(f"notebooks are {', '.join(NAMES)}; --set is for a trial and needs --out")
    if given.share:
        for name in NAMES:
            write(share(read(ROOT / f"{given.share}.ipynb"), read(ROOT / f"{name}.ipynb")), ROOT / f"{name}.ipynb")
        return
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")  # a warning of the debugger, on stderr
    wrong = 0
    for name in names:
        print(f"{name} …", flush=True)
        found = make(name, dict(given.set), given.out or ROOT)
        wrong += bool(found)
        print("\n".join(found) or "  done", flush=True)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
