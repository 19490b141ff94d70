"""The list of commands, and the help of each: its examples stand last, on lines of their own."""

import textwrap
from typing import Any

from typer.core import TyperCommand, TyperGroup

from ..errors import unknown_name

HEAD = "Examples (in a shell):"
ERRORS = "Raises:"
"""What a docstring says to who calls the function; a shell shows the message of an error."""
CONTINUED = " \\"
"""What a shell takes as going on in the next line."""
FIRST = ("interpret", "scan", "run", "demo")
"""The commands that a newcomer looks for, first in the list."""
MEANT = {"score": "run", "evaluate": "run", "explain": "interpret", "detect": "scan"}
"""Names for what a command does, in the library or elsewhere."""


class Commands(TyperGroup):
    """All commands, the most used ones first; an unknown one is answered with the nearest.

    Example (in a shell):
      audiointerp --help
    """

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names in the order of ``audiointerp --help``."""
        return [*FIRST, *(name for name in super().list_commands(ctx) if name not in FIRST)]

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command that the first argument names, or refuse it as a usage error."""
        name, names = args[0], self.list_commands(ctx)
        if name not in names and not name.startswith("-") and not ctx.resilient_parsing:
            meant = [MEANT[name]] if name in MEANT else None
            ctx.fail(unknown_name("command", name, names, meant=meant))
        return super().resolve_command(ctx, args)


class HelpWithExamples(TyperCommand):
    """A command whose docstring ends with examples.

    Example (in a shell):
      audiointerp interpret --help
    """

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        """Write what stands before the examples."""
        text, self.help = self.help, split_help(self.help or "")[0]
        super().format_help_text(ctx, formatter)
        self.help = text

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the examples after the options."""
        examples = split_help(self.help or "")[1]
        if examples:
            with formatter.section("Examples"):
                for example in examples:
                    formatter.write(shell_lines(example, formatter.width))
        super().format_epilog(ctx, formatter)


def split_help(text: str) -> tuple[str, list[str]]:
    r"""Split a docstring into what a shell shows before the examples, and the examples.

    >>> split_help("Hear it.\n\nExamples (in a shell):\n\n  hear dog.wav\n\n  hear cat.wav")
    ('Hear it.', ['hear dog.wav', 'hear cat.wav'])
    """
    before, _, after = text.partition(HEAD)
    shown = before.partition(ERRORS)[0]
    return shown.strip(), [line.strip() for line in after.splitlines() if line.strip()]


def shell_lines(example: str, width: int) -> str:
    r"""Break a command where a shell can read it, indented.

    >>> print(shell_lines("hear dog.wav --method gradcam", 24), end="")
      hear dog.wav \
          --method gradcam
    """
    room = max(width - len(CONTINUED), 20)
    lines = textwrap.wrap(
        example,
        room,
        initial_indent="  ",
        subsequent_indent="      ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    return f"{CONTINUED}\n".join(lines) + "\n"
