"""What all commands do before they run: empty paths are refused."""

from pathlib import Path
from typing import Any, get_args, get_type_hints

from ..errors import ArgumentError
from .help_text import HelpWithExamples


class Command(HelpWithExamples):
    """A command that takes no empty text for a path, which would be the current folder.

    Example (in a shell):
      audiointerp interpret dog.wav --out ""
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the words of the command line.

        Raises:
            ArgumentError: a path is empty.
        """
        if "" in args or any(word.endswith("=") for word in args):
            self._refuse_empty_paths(ctx, args)
        rest: list[str] = super().parse_args(ctx, args)
        return rest

    def _refuse_empty_paths(self, ctx: Any, args: list[str]) -> None:
        types = get_type_hints(self.callback)
        values, _, _ = self.make_parser(ctx).parse_args(args=list(args))
        for param in self.params:
            name, value = str(param.name), values.get(str(param.name))
            is_empty = "" in value if isinstance(value, list | tuple) else value == ""
            # The results of run may be at a URL, so they are a text.
            if is_empty and (name == "out" or is_path(types[name])):
                place = param.opts[0] if param.opts[0].startswith("-") else name.upper()
                raise ArgumentError(
                    f"{place} '': a path is empty, as of an unset variable of the shell; give one, "
                    "or . for the current folder"
                )


def is_path(annotation: Any) -> bool:
    """Whether an option of this type is a path, or several.

    >>> is_path(Path), is_path(list[Path] | None), is_path(str | None)
    (True, True, False)
    """
    return annotation is Path or any(is_path(inner) for inner in get_args(annotation))
