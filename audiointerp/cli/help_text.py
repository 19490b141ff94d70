"""The help of a command: its examples stand last, each on lines of its own."""

import textwrap
from typing import Any

from typer.core import TyperCommand

HEAD = "Examples (in a shell):"
ERRORS = "Raises:"
"""What a docstring says to who calls the function; a shell shows the message of an error."""
CONTINUED = " \\"
"""What a shell takes as going on in the next line."""


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
