"""Which clips of a run a page shows: of a million, a page would be of no use."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

import typer

from ..dataset import ClipDataset, EvenSubset, Selection, targets_of
from ..errors import ArgumentError, choose

MOST_SHOWN = 1000
"""Of more clips, not all are shown unless so many are asked for."""
FEW = 20
"""So many are shown instead."""


def shown_clips(
    clips: ClipDataset,
    names: Sequence[str] | None = None,
    labels: Sequence[str] | None = None,
    most: int | None = None,
) -> list[int]:
    """Return the numbers of the clips that are shown.

    Args:
        clips: those of the run.
        names: of the clips, or patterns with ``*`` and ``?``; None for any.
        labels: true labels, of which a clip has one; None for any.
        most: so many, evenly spaced; None for all, or :data:`FEW` of more than
            :data:`MOST_SHOWN`, which a line says.

    Raises:
        ArgumentError: a label is unknown, or no clip is left.

    >>> from audiointerp.dataset import Synthetic
    >>> shown_clips(Synthetic((5,)), names=["5-5000[0-3]-*"], most=2)
    [1, 3]
    """
    wanted = {choose("label", label, clips.labels) for label in labels or ()}
    targets = {clips.labels.index(label) for label in wanted}
    chosen: Sequence[int] = range(len(clips))
    if names is not None:
        chosen = [index for index in chosen if _is_named(clips.clip_id(index), names)]
    if targets:
        chosen = [index for index in chosen if targets & {*targets_of(clips, index)}]
    if not chosen:
        raise ArgumentError(
            f"--names and --labels leave none of {len(clips)} clips; a name is that of the results,"
            f" e.g. {clips.clip_id(0)!r:.80}, or a pattern with *"
        )
    if most is None and len(chosen) > MOST_SHOWN:
        most = FEW
        typer.echo(
            f"{len(chosen)} clips: {FEW} of them are shown, evenly spaced; give --most, --names or "
            "--labels to choose",
            err=True,
        )
    places = EvenSubset(Selection(clips, chosen), most).indices
    return [chosen[place] for place in places]


def _is_named(name: str, patterns: Sequence[str]) -> bool:
    return any(name == pattern or fnmatchcase(name, pattern) for pattern in patterns)
