"""Turns what our docstrings have of reStructuredText into Markdown, for the pages of the API."""

import re
from typing import Any

from griffe import Extension, Object

ROLE = re.compile(r":(?:func|class|meth|mod|data|attr):`~?([\w.]+)`")
"""A link to another object, e.g. to a function."""
EXAMPLE = re.compile(r"^>>> .*?(?=\n\s*\n|\Z)", re.MULTILINE | re.DOTALL)
"""A doctest, up to the next empty line."""


def as_markdown(text: str) -> str:
    r"""Rewrite the roles and the doctests of a docstring.

    A link is optional, since the pages show the public names alone.

    >>> as_markdown("See :func:`~audiointerp.predict.score`.\n\n>>> 1 + 1\n2\n")
    'See <autoref identifier="audiointerp.predict.score" optional><code>score</code></autoref>...'
    """
    linked = ROLE.sub(_as_link, text)
    return EXAMPLE.sub(lambda match: f"```pycon\n{match[0]}\n```", linked)


def _as_link(match: re.Match[str]) -> str:
    path = match[1]
    name = path.rpartition(".")[2]
    return f'<autoref identifier="{path}" optional><code>{name}</code></autoref>'


class Docstrings(Extension):
    """Rewrites every docstring when it is collected."""

    def on_instance(self, *, obj: Object, **kwargs: Any) -> None:
        """Rewrite the docstring of a module, class, function or constant."""
        if obj.docstring is not None:
            obj.docstring.value = as_markdown(obj.docstring.value)
