"""The command that reads results: tables."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import ArgumentError, choose
from .options import app, names_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from ..tables import Part

DEFAULT_COLUMNS = "transform,experiment,method,mask"
MORE = "\n--all prints every group, --out FILE writes them"
MISSING = "missing: "
MEANS_ALONE = (
    "Of so many rows, groups have means alone; without --by and --all, methods are compared with "
    "their best null."
)


@app.command()
def tables(
    results: Annotated[Path, typer.Argument(help="The folder of results.")] = Path("results"),
    by: Annotated[
        str | None, typer.Option(help=f"Columns to group by; default: {DEFAULT_COLUMNS}.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Also write the table as CSV; with --formats, the folder of the files."),
    ] = None,
    formats: Annotated[
        str | None,
        typer.Option(
            help="Write the tables of the paper: csv, latex, markdown, text, pdf; comma-separated."
        ),
    ] = None,
    kinds: Annotated[
        str | None,
        typer.Option(
            help="Which tables of the paper: summary, masks, methods, noise, noise_differences, "
            "audio; default: all."
        ),
    ] = None,
    on: Annotated[
        str | None,
        typer.Option(help="Tables of the paper: of scores on features or audio; default: both."),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Print every group, thousands of lines for a study.")
    ] = False,
    published: Annotated[
        bool, typer.Option("--published", help="Show the published means beside ours.")
    ] = False,
) -> None:
    """Show whether methods beat chance, and their mean scores.

    Or write the tables of the paper. Shown are a forest plot and one table, of clean clips and of
    sound if the results have these. --by groups all of the results, and --out writes the groups.
    With --kinds, --on or --published but without --formats, the tables of the paper are printed.

    Examples (in a shell):

      audiointerp tables results

      audiointerp tables results --by method,mask --out means.csv

      audiointerp tables results --kinds summary --published

      audiointerp tables results --out tables --formats csv,latex,pdf --published
    """
    if formats is None and kinds is None and on is None and not published:
        _print_summary(results, by, out, everything)
    else:
        _refuse_columns(by, everything)
        _write_paper_tables(results, formats, kinds, on, published, out)


def _print_summary(results: Path, by: str | None, out: Path | None, everything: bool) -> None:
    from ..tables import GROUPS, are_too_many, cross_validations_in, open_parts, unfinished

    columns = [
        choose("column", name, GROUPS)
        for name in names_in(DEFAULT_COLUMNS if by is None else by, "--by")
    ]
    is_lead = by is None and not everything
    parts = open_parts(results)
    if are_too_many(parts):
        _print_streamed(parts, columns, is_lead, out)
    else:
        _print_rows(results, columns, is_lead, out)
    for sentence in unfinished(results):
        typer.echo(MISSING + sentence)
    for folder in cross_validations_in(results):
        typer.echo(f"a cross-validation in it: audiointerp tables {shlex.quote(str(folder))}")


def _print_rows(results: Path, columns: list[str], is_lead: bool, out: Path | None) -> None:
    from ..tables import as_text, completed_rows, lead_text, summarise

    rows = completed_rows(results)
    typer.echo(f"{lead_text(rows)}\n{MORE}" if is_lead else as_text(rows, columns))
    if out is not None:
        _write(summarise(rows, columns), out)


def _print_streamed(
    parts: "Sequence[Part]", columns: list[str], is_lead: bool, out: Path | None
) -> None:
    """Print the tables of results that are too many for the memory."""
    from ..tables import streamed_lead_text, streamed_summary

    if is_lead:
        typer.echo(f"{streamed_lead_text(parts)}\n{MORE}")
    if out is not None or not is_lead:
        table, text = streamed_summary(parts, columns)
        if not is_lead:
            typer.echo(f"{text}\n\n{MEANS_ALONE}")
        if out is not None:
            _write(table, out)


def _write(table: "pd.DataFrame", out: Path) -> None:
    from ..util import atomic_write

    if _holds_results(out):
        raise ArgumentError(f"--out {out}: results are in this file; give another name")
    with atomic_write(out) as partial:
        table.to_csv(partial)
    typer.echo(f"wrote {out}")


def _holds_results(path: Path) -> bool:
    """Whether a file is one that a run writes, which a table of means may not replace."""
    if not path.is_file():
        return False
    if path.name == "run.json" or path.suffix == ".parquet":
        return True
    with path.open("rb") as file:
        return b",status," in file.readline()


def _refuse_columns(by: str | None, everything: bool) -> None:
    if everything:
        raise ArgumentError("--all: the tables of the paper are all printed; leave it out")
    if by is not None:
        raise ArgumentError(
            f"--by {by}: the tables of the paper have their own rows; leave out --by, "
            "or --kinds, --on, --published and --formats"
        )


def _write_paper_tables(
    results: Path,
    formats: str | None,
    kinds: str | None,
    on: str | None,
    published: bool,
    out: Path | None,
) -> None:
    from ..paper import paper_of
    from ..tables import FORMATS, table_as_text

    chosen_formats = [] if formats is None else names_in(formats, "--formats")
    for name in chosen_formats:
        choose("format", name, FORMATS)
    if bool(chosen_formats) != (out is not None):
        raise ArgumentError("--formats and --out FOLDER go together: what to write, and where")
    paper = paper_of(results, None if kinds is None else names_in(kinds, "--kinds"), on, published)
    if out is None:
        typer.echo("\n".join(table_as_text(table) for table in paper.tables))
    elif paper.tables:
        for path in paper.write(out, chosen_formats):
            typer.echo(f"wrote {path}{'/' if path.is_dir() else ''}")
    typer.echo(f"{len(paper.tables)} tables")
    for sentence in paper.lacking:
        typer.echo(MISSING + sentence)
