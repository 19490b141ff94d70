"""What the command report does for listening tests: write one, and read its answers."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import typer
from torch import Tensor

from ..dataset import LoadedClip
from ..display import BlindSound, write_blind_test
from ..predict import Interpretation
from ..scoring import random_masks
from ..tables import listening_text, read_answers
from .run_source import Source

RANDOM = "random mask"
"""What stands in the key for a part that was chosen by chance."""


def write_test(source: Source, out: Path, key: Path | None, seed: int) -> None:
    """Write a listening test: of each clip, the part of each method, and that of a random mask.

    Args:
        source: the run.
        out: the folder.
        key: the file of the key; by default beside the folder, ``OUT_key.csv``.
        seed: of the order.

    Example: the command ``audiointerp report --blind`` calls it.
    """
    # "." has no name to put beside it.
    out = out if out.name else out.resolve()
    key = out.with_name(f"{out.name}_key.csv") if key is None else key
    quieter = write_blind_test(_sounds(source), source.classifier.labels, out, key, seed)
    typer.echo(f"wrote {out}/ (open {out / 'index.html'} to listen and answer)")
    typer.echo(f"the key is {key}; listeners should not see it")
    if quieter:
        typer.echo(f"{quieter} sounds are quieter than the others, as their peaks allow no more")
    typer.echo(f"read the answers by: audiointerp report --answers ANSWERS.csv --key {key}")


def _sounds(source: Source) -> Iterator[BlindSound]:
    for loaded, results in source.explained():
        for result in results:
            yield _sound(loaded, result, result.attribution.method, result.kept)
        yield _random_sound(loaded, results)


def _random_sound(loaded: LoadedClip, results: Sequence[Interpretation]) -> BlindSound:
    """Return the part that a mask of blobs keeps, with the values of the first method's mask."""
    first = results[0]
    spectrogram = first.spectrogram
    mask = first.mask.to(spectrogram.db)
    # Drawn for this test alone, so that no page shows the same random mask.
    random = random_masks(spectrogram.db, "listening test", mask, first.mask_name, 1)
    wav = spectrogram.masked(random).to_wav()
    return _sound(loaded, first, RANDOM, wav)


def _sound(loaded: LoadedClip, result: Interpretation, method: str, wav: Tensor) -> BlindSound:
    return BlindSound(
        clip=loaded.name,
        recording=loaded.recording,
        label=loaded.label,
        explained=result.explained,
        method=method,
        mask=result.mask_name,
        wav=wav.cpu(),
        sample_rate=result.sample_rate,
    )


def print_answers(answers: Sequence[Path], key: Path) -> None:
    """Print what filled answer sheets say, by method.

    Args:
        answers: the sheets.
        key: of the test.

    Example: the command ``audiointerp report --answers`` calls it.
    """
    typer.echo(listening_text(*read_answers(answers, key)))
