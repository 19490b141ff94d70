"""The rows of a comparison with the truth, kept clip by clip, so that it can be resumed."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import AudioInterpError
from ..experiments import settings_of
from ..interpretation import Explainer
from ..util import plain, write_text


class Progress:
    """The rows of finished clips, by method, in a file that grows with each clip.

    A method whose settings have changed is measured again; so is one that failed.

    Args:
        path: the file.
        settings: what all rows depend on, in its first line.

    Raises:
        AudioInterpError: the file has results with other settings.

    >>> import tempfile
    >>> from torch import nn
    >>> from audiointerp.interpretation import Saliency
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     progress = Progress(Path(folder, "rows.jsonl"), {"seed": 0})
    ...     method = Saliency(nn.Identity())
    ...     progress.add("a.wav", [method], [{"method": "saliency", "status": "ok"}])
    ...     Progress(Path(folder, "rows.jsonl"), {"seed": 0}).rows_of("a.wav", method)
    [{'method': 'saliency', 'status': 'ok'}]
    """

    def __init__(self, path: Path, settings: Mapping[str, Any]) -> None:
        self.path = path
        self._rows: dict[tuple[str, str], list[dict[str, Any]]] = {}
        self._skipped: dict[str, list[dict[str, Any]]] = {}
        if not path.is_file():
            write_text(path, json.dumps(settings) + "\n")
            return
        # The last one is empty, or was cut off when the process was killed.
        *whole, cut = self._lines()
        first, lines = whole[0] if whole else "", whole[1:]
        if _parsed(first) != json.loads(json.dumps(settings)):
            raise AudioInterpError(
                f"{path}: was measured with other settings, or is damaged; give another folder, "
                f"or delete this file"
            )
        for number, line in enumerate(lines, 2):
            try:
                self._keep(*json.loads(line))
            except (ValueError, TypeError, AttributeError, KeyError) as error:
                raise AudioInterpError(
                    f"{path}, line {number}: is damaged ({error}); delete this line, and its clip "
                    "is measured again"
                ) from error
        if cut:
            write_text(path, "\n".join([first, *lines]) + "\n")

    def _lines(self) -> list[str]:
        try:
            return self.path.read_text(encoding="utf-8").split("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise AudioInterpError(f"{self.path}: cannot be read ({error})") from error

    def _keep(self, name: str, methods: Mapping[str, Any], skipped: list[dict[str, Any]]) -> None:
        self._skipped[name] = skipped
        for key, rows in methods.items():
            # A method that failed is measured again.
            if all(row["status"] != "error" for row in rows):
                self._rows[name, key] = rows

    def rows_of(self, name: str, explainer: Explainer) -> list[dict[str, Any]] | None:
        """Return the rows of a clip and a method; None if it must be measured."""
        return self._rows.get((name, _key(explainer)))

    def skipped_of(self, name: str) -> list[dict[str, Any]]:
        """Return the rows of the classes of a clip that were not explained."""
        return self._skipped.get(name, [])

    def add(
        self, name: str, explainers: Sequence[Explainer], rows: Sequence[dict[str, Any]]
    ) -> None:
        """Keep the rows of a clip, in memory and in the file.

        Raises:
            AudioInterpError: the file cannot be written.
        """
        by_method: dict[str, list[dict[str, Any]]] = {_key(each): [] for each in explainers}
        keys = {explainer.name: _key(explainer) for explainer in explainers}
        for row in rows:
            if row["status"] != "skipped":
                by_method[keys[row["method"]]].append(row)
        skipped = [row for row in rows if row["status"] == "skipped"]
        self._keep(name, by_method, skipped)
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps([name, by_method, skipped]) + "\n")
        except OSError as error:
            raise AudioInterpError(f"{self.path}: cannot be written ({error})") from error


def _parsed(line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None


def _key(explainer: Explainer) -> str:
    """Return the name of a method with its settings."""
    return f"{explainer.name} {json.dumps(plain(settings_of(explainer)), sort_keys=True)}"
