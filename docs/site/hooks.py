"""What mkdocs does beside its own: pages of files outside of docs/, and the pages of the API."""

import ast
import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
OUTSIDE = (
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "benchmarks/RESULTS.md",
    "noises/README.md",
    "pretrained/README.md",
    "results/README.md",
    "supplementary/README.md",
    "weights/README.md",
    "weights/*_cnn10*.md",
)
"""Files outside of docs/ that the site shows; a pattern may name several."""
LINK = re.compile(r"(\]\()([^)#:\s]+)((?:#[^)]*)?\))")
"""A link or a picture of this repository: before its target, the target, what follows it."""
CODE = re.compile(r"(```.*?```|`[^`\n]*`)", re.DOTALL)
API = "api"
PICTURES = (".png", ".svg")


def outside_pages() -> list[str]:
    """Return the paths of the files outside of docs/ that are pages, from the root."""
    found = [path for pattern in OUTSIDE for path in sorted(ROOT.glob(pattern))]
    return [path.relative_to(ROOT).as_posix() for path in found]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages outside of docs/, the pictures they show, and the pages of the API."""
    for path in outside_pages():
        text = (ROOT / path).read_text(encoding="utf-8")
        _add(files, config, path, text)
        for target in _targets(text):
            picture = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
            if picture.endswith(PICTURES) and (ROOT / picture).is_file():
                _add(files, config, picture, (ROOT / picture).read_bytes())
    for name, text in api_pages().items():
        _add(files, config, f"{API}/{name}.md", text)
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead links that leave docs/, or come from outside of it, to their pages on the site."""
    parts = CODE.split(markdown)
    # Every second part is code.
    parts[::2] = [
        LINK.sub(lambda link: link[1] + site_link(link[2], page.file.src_uri) + link[3], part)
        for part in parts[::2]
    ]
    return "".join(parts)


def site_link(target: str, page: str) -> str:
    """Return a link of a page as it is on the site.

    In the repository, the pages of docs/ lie one folder deeper than on the site.

    >>> site_link("../weights/esc10_mel_cnn10.md", "models.md")
    'weights/esc10_mel_cnn10.md'
    >>> site_link("../docs/scores.md", "results/README.md"), site_link("files.md", "scores.md")
    ('../scores.md', 'files.md')
    """
    source = page if page in outside_pages() else f"docs/{page}"
    path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
    on_site = path.removeprefix("docs/")
    return posixpath.relpath(on_site, posixpath.dirname(page) or ".")


def api_pages() -> dict[str, str]:
    """Return the pages of the API by name: one for each room with public names, and a list.

    The public names are those of ``audiointerp/__init__.pyi``.
    """
    pages = {}
    for room, names in public_names().items():
        blocks = [f"::: audiointerp.{room}.{name}" for name in names]
        pages[room] = "\n\n".join([f"# audiointerp.{room}", _about(room), *blocks]) + "\n"
    rows = [
        f"| [`{room}`]({room}.md) | {', '.join(f'`{name}`' for name in names)} |"
        for room, names in public_names().items()
    ]
    head = (
        "# Reference\n\nAll names can be imported from `audiointerp`, e.g. `import audiointerp as "
        "ai; ai.interpret`.\n\n| room | public names |\n|---|---|\n"
    )
    return {**pages, "index": head + "\n".join(rows) + "\n"}


def public_names() -> dict[str, list[str]]:
    """Return the public functions, classes and tables of each room."""
    tree = ast.parse((ROOT / "audiointerp" / "__init__.pyi").read_text(encoding="utf-8"))
    names: dict[str, list[str]] = {}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module:
            # `from .room import module as module` names a module.
            listed = [alias.name for alias in node.names if alias.asname is None]
            names.setdefault(node.module, []).extend(listed)
    return {room: listed for room, listed in sorted(names.items()) if listed}


def _about(room: str) -> str:
    """Return the first paragraph that a room says about itself."""
    folder = ROOT / "audiointerp" / room
    path = folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return text.split("\n\n")[0]


def _targets(text: str) -> list[str]:
    return [link[2] for link in LINK.finditer(text)]


def _add(files: Files, config: MkDocsConfig, path: str, content: str | bytes) -> None:
    """Add a file, once."""
    if files.get_file_from_path(path) is None:
        file: Any = File.generated(config, path, content=content)
        files.append(file)
