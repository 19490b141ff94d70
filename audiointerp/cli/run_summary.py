"""What a run prints when it is done, and whether too many clips have failed."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ..errors import AudioInterpError

if TYPE_CHECKING:
    import pandas as pd

    from ..dataset import ClipDataset
    from ..experiments import ShardedRun


def print_run(
    rows: "pd.DataFrame",
    dataset: "ClipDataset",
    shard: tuple[int, int],
    folder: Path,
    max_errors: int,
) -> None:
    """Print the scores of a run.

    Raises:
        AudioInterpError: too many clips of this shard have failed.

    Example: ``audiointerp run mel_clean`` calls it.
    """
    from ..experiments import clips_of_shard
    from ..tables import lead_text
    from ..util import encodable

    indices = clips_of_shard(shard, len(dataset))
    shard_clips = {encodable(dataset.clip_id(index)) for index in indices}
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
    refuse_failures(errors, max_errors, f" of {len(shard_clips)}")


def refuse_failures(errors: "pd.DataFrame", max_errors: int, of_how_many: str = "") -> None:
    """Refuse results of which too many clips have failed.

    Args:
        errors: the rows with an error.
        max_errors: clips of a method that may fail.
        of_how_many: follows the number of failed clips in the message, e.g. " of 80".

    Raises:
        AudioInterpError: more clips of a method have failed; it quotes the first error.

    >>> import pandas as pd
    >>> refuse_failures(pd.DataFrame({"method": [], "clip": []}), 0)
    """
    failed_clips = errors.groupby("method")["clip"].nunique()
    if len(errors) and failed_clips.max() > max_errors:
        error = errors.iloc[0]
        raise AudioInterpError(
            f"{failed_clips.idxmax()} failed on {failed_clips.max()}{of_how_many} clips; "
            "see the columns stage and error of metrics.csv. The first: "
            f"{error['clip']}, {error['stage']}, {error['error_type']}: {error['error']}"
        )


def print_shards(done: "ShardedRun", max_errors: int) -> None:
    """Print what a run in shards has written.

    Raises:
        AudioInterpError: more clips of a method have failed than ``max_errors``.

    Example: ``audiointerp run birds --manifest birds.csv`` calls it.
    """
    if done.is_complete:
        typer.echo(f"wrote {done.folder}/: {done.rows} rows in {done.shards} shards per method")
    else:
        typer.echo(
            f"{done.folder}/: {done.shards - done.missing} of {done.shards} shards are finished"
        )
    errors = done.errors
    worst = max(errors, key=lambda method: errors[method])
    if errors[worst] > max_errors:
        raise AudioInterpError(
            f"{worst} failed on {errors[worst]} clips; see the columns stage and error of the "
            "files in shards/; --max-errors accepts them"
        )
