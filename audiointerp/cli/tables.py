"""The command that reads results: tables."""

from pathlib import Path
from typing import Annotated

import typer

from ..errors import ArgumentError, choose
from .options import app, names_in

DEFAULT_COLUMNS = "transform,experiment,method,mask"


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
    """Show whether methods beat chance, and their mean scores; or write the tables of the paper.

    That is a forest plot and one table, of clean clips and of sound if the results have these. --by
    groups all of the results, and --out writes the groups. With --kinds, --on or --published but
    without --formats, the tables of the paper are printed.

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
    from ..tables import GROUPS, as_text, lead_text, read_results, summarise
    from ..util import atomic_write

    columns = [
        choose("column", name, GROUPS) for name in names_in(DEFAULT_COLUMNS if by is None else by)
    ]
    rows = read_results(results)
    if by is None and not everything:
        typer.echo(lead_text(rows))
        typer.echo("\n--all prints every group, --out FILE writes them")
    else:
        typer.echo(as_text(rows, columns))
    if out is not None:
        with atomic_write(out) as partial:
            summarise(rows, columns).to_csv(partial)
        typer.echo(f"wrote {out}")


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

    chosen_formats = [] if formats is None else names_in(formats)
    for name in chosen_formats:
        choose("format", name, FORMATS)
    if bool(chosen_formats) != (out is not None):
        raise ArgumentError("--formats and --out FOLDER go together: what to write, and where")
    paper = paper_of(results, None if kinds is None else names_in(kinds), on, published)
    if out is None:
        typer.echo("\n".join(table_as_text(table) for table in paper.tables))
    elif paper.tables:
        for path in paper.write(out, chosen_formats):
            typer.echo(f"wrote {path}{'/' if path.is_dir() else ''}")
    typer.echo(f"{len(paper.tables)} tables")
    for sentence in paper.lacking:
        typer.echo(f"missing: {sentence}")
