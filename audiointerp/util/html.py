"""Records as HTML, for notebooks."""

from collections.abc import Mapping
from html import escape


def table_html(title: str, rows: Mapping[str, object]) -> str:
    """Return a small table with a title, one row per name; everything is escaped.

    >>> table_html("Clip", {"label": "<dog>"})
    '<table><caption>Clip</caption><tr><th>label</th><td>&lt;dog&gt;</td></tr></table>'
    """
    body = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(str(value))}</td></tr>"
        for name, value in rows.items()
    )
    return f"<table><caption>{escape(title)}</caption>{body}</table>"
