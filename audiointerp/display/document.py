"""A complete page: its style sheet and scripts are in it, or in files that many pages share."""

import html
import json
import os
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from ..util import digest_of, make_folder, write_text

PARTS = Path(__file__).with_name("page")
SOUND_SCRIPTS = ("fft.js", "masking.js")
"""Scripts that make sounds; a worker runs a copy of them."""
SCRIPTS = (
    "maps.js",
    "sounds.js",
    "player.js",
    "stage.js",
    "chart.js",
    "component.js",
    "overview.js",
    "scores.js",
    "start.js",
)
SHARED = ("page.css", "page.js")
"""Files beside pages that do not hold their style and their scripts themselves."""


@cache
def part(name: str) -> str:
    """Return the text of a file of the page.

    >>> part("page.css")[:5]
    ':root'
    """
    return (PARTS / name).read_text(encoding="utf-8")


@cache
def page_digest() -> str:
    """Return the SHA-256 of the files that pages are made from: scripts, styles, templates.

    >>> len(page_digest())
    64
    """
    files = [path for path in PARTS.iterdir() if path.suffix in (".js", ".css", ".html")]
    return digest_of({path.name: path.read_text(encoding="utf-8") for path in files})


def minified(text: str) -> str:
    r"""Leave out comments on lines of their own, and indentation, of a script or a style sheet.

    A template that goes over several lines would be changed, so no script of the page has one.

    >>> minified("/** Two\n lines. */\nif (x) {\n  // why\n  y();\n}\n")
    'if (x) {\ny();\n}\n'
    """
    without_blocks = re.sub(r"^[ \t]*/\*.*?\*/[ \t]*$", "", text, flags=re.MULTILINE | re.DOTALL)
    lines = [line.strip() for line in without_blocks.splitlines()]
    kept = [line for line in lines if line and not line.startswith("//")]
    return "".join(f"{line}\n" for line in kept)


def script_json(data: Any) -> str:
    r"""Return JSON that cannot end the script tag that it stands in.

    >>> script_json({"label": "</script>"})
    '{"label":"\\u003c/script>"}'
    """
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")


def styles_and_scripts() -> tuple[str, str]:
    """Return the style of a page with sections, for its head, and its scripts, for its end.

    >>> head, end = styles_and_scripts()
    >>> head[:7], end.count("<script")
    ('<style>', 2)
    """
    style = minified(part("page.css"))
    dsp = f'<script id="audiointerp-dsp">\n{_joined(SOUND_SCRIPTS)}</script>'
    return f"<style>\n{style}</style>", f"{dsp}\n<script>\n{_joined(SCRIPTS)}</script>"


def document(title: str, sections: Sequence[str], shared: str | None = None) -> str:
    """Return a complete page of sections.

    Args:
        title: of the page.
        sections: HTML.
        shared: where the files of :func:`write_shared` are, e.g. ``"../"``; None for a page that
            holds all of them.

    >>> document("Why <dog>?", ["<p>text</p>"]).count("<h1>Why &lt;dog&gt;?</h1>")
    1
    >>> "<style>" in document("dog", [], shared="../")
    False
    """
    title = html.escape(title)
    if shared is None:
        head, end = styles_and_scripts()
    else:
        style, script = (html.escape(shared + name) for name in SHARED)
        head = f'<link rel="stylesheet" href="{style}">'
        end = f'<script src="{script}"></script>'
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n{head}</head>\n"
        f"<body><main><h1>{title}</h1>\n{''.join(sections)}</main>\n{end}</body></html>\n"
    )


def write_shared(folder: str | os.PathLike[str]) -> None:
    """Write the style sheet and the scripts that the pages of a folder share.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_shared(folder)
    ...     sorted(os.listdir(folder))
    ['page.css', 'page.js']
    """
    folder = make_folder(folder)
    style, script = SHARED
    sound_scripts = _joined(SOUND_SCRIPTS)
    # A page that is opened as a file cannot read a script beside it, and a worker needs its text.
    text = f"const audiointerpDsp = {json.dumps(sound_scripts)};\n"
    write_text(folder / style, minified(part("page.css")))
    write_text(folder / script, f"{text}{sound_scripts}{_joined(SCRIPTS)}")


def framed(page: str) -> str:
    """Return a page as a frame, which keeps its style apart from that of a notebook.

    >>> framed('<p title="x">a & b</p>').count('srcdoc="<p title=&quot;x&quot;>a &amp; b</p>"')
    1
    """
    source = page.replace("&", "&amp;").replace('"', "&quot;")
    style = "width:100%;height:60rem;border:0"
    return (
        f'<iframe class="audiointerp-frame" title="explanation" style="{style}" '
        f'srcdoc="{source}"></iframe>'
    )


def _joined(names: Sequence[str]) -> str:
    scripts = [minified(part(name)).removeprefix('"use strict";\n') for name in names]
    return '"use strict";\n' + "".join(scripts)
