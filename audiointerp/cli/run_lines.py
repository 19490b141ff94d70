"""What the command run prints at its end."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ..errors import AudioInterpError

if TYPE_CHECKING:
    import pandas as pd

    from ..dataset import ClipDataset


def print_run(
    rows: "pd.DataFrame",
    dataset: "ClipDataset",
    shard: tuple[int, int],
    folder: Path,
    max_errors: int,
) -> None:
    """Print the scores of a run.

    Args:
        rows: of the run.
        dataset: its clips.
        shard: which of how many parts of the clips this was, e.g. (2, 4).
        folder: where the rows are.
        max_errors: so many clips of each method may have failed.

    Raises:
        AudioInterpError: more clips of this shard have failed.

    Example: the command ``audiointerp run`` calls it.
    """
    from ..tables import lead_text
    from ..util import encodable

    first, step = shard
    shard_clips = {
        encodable(dataset.clip_id(index)) for index in range(first - 1, len(dataset), step)
    }
    errors = rows[(rows["status"] == "error") & rows["clip"].isin(shard_clips)]
    if len(errors) < len(rows):
        typer.echo(lead_text(rows))
    finished = rows["clip"].nunique()
    if finished < len(dataset):
        typer.echo(
            f"{folder}/: {finished} of {len(dataset)} clips are finished; "
            "metrics.csv comes with the last shard"
        )
    else:
        typer.echo(f"wrote {folder}/: {len(rows)} rows, {len(errors)} of them errors")
    failed_clips = errors.groupby("method")["clip"].nunique()
    if len(errors) and failed_clips.max() > max_errors:
        error = errors.iloc[0]
        raise AudioInterpError(
            f"{failed_clips.idxmax()} failed on {failed_clips.max()} of {len(shard_clips)} clips; "
            "see the columns stage and error of metrics.csv. The first: "
            f"{error['clip']}, {error['stage']}, {error['error_type']}: {error['error']}"
        )
