"""Scores on features beside scores on audio, and beside those of the nulls."""

from collections.abc import Iterator, Sequence

from ..interpretation import NULLS, RANDOM_MASKS
from ..metrics import METRICS, RELATIVE
from ..tables import Column, Table, table_of
from .columns import Columns, clips_in, interval_note, score_column
from .conditions import Condition
from .statistics import means_of, with_intervals

DESCRIPTIONS = {
    "pixelwise": "a random mask of the same values, bin by bin",
    "smooth": "one in blobs",
    "rolled": "the mask itself, rolled in time by a random shift",
    "other": "the mask made from another clip's attribution by the same method",
    "matched": "a random 0/1 mask under which as many audible bins come back",
}
"""What each null is, for captions."""


def audio_tables(conditions: Sequence[Condition], published: bool) -> Iterator[Table]:
    """Yield a table per experiment and score that asks the network, a block for each method.

    Nothing was published on audio, so ``published`` changes nothing.

    >>> from .conditions import find_conditions
    >>> from .example import example_rows
    >>> rows = example_rows(on=("features", "audio"))
    >>> table = next(audio_tables(find_conditions(rows), False))
    >>> table.title
    'FF on features and on audio, beside nulls: mel_clean, all clips'
    """
    together: dict[tuple[str, ...], list[Condition]] = {}
    for condition in conditions:
        if condition.subset == "all":
            key = (condition.transform, condition.label, condition.protocol, condition.fill)
            together.setdefault(key, []).append(condition)
    for group in together.values():
        nulls = [null for null in NULLS if _have_null(group, null)]
        if len(group) > 1 or nulls:
            for name in RELATIVE:
                yield _audio_table(group, name, nulls)


def _have_null(group: Sequence[Condition], null: str) -> bool:
    return any(condition.has_null(null) for condition in group)


def _audio_table(group: Sequence[Condition], name: str, nulls: Sequence[str]) -> Table:
    first = group[0]
    columns: Columns = []
    for condition in group:
        columns += _beside_nulls(condition, name, nulls)
    if len(group) > 1:
        by_on = {condition.on: condition for condition in group}
        change = with_intervals(by_on["audio"].sums_less(by_on["features"], name))
        column = score_column(name, "− features", "audio", difference=True)
        # A cell of one alone has no difference.
        columns.append((column, change.reindex(columns[0][1].index)))
    scored_on = " and ".join(f"on {condition.on}" for condition in group) + first.over
    protocol = "" if first.protocol == "corrected" else f", protocol {first.protocol}"
    better = "more" if METRICS[name].higher_is_better else "less"
    notes = [f"Means over {clips_in(first)}."]
    if nulls:
        described = "; ".join(f"{null}: {DESCRIPTIONS[null]}" for null in nulls)
        notes.append(
            f"{described}. − {', − '.join(nulls)}: the score minus the null's, clip by clip "
            f"({better} is better); 0 where a mask is constant, since a null of its values equals "
            "it."
        )
    return table_of(
        first.name("audio", first.label, name).replace(f"_on_{first.on}", ""),
        f"{name} {scored_on}, beside nulls: {first.label}, all clips{protocol}",
        " ".join([*notes, interval_note(columns)]),
        columns,
    )


def _beside_nulls(condition: Condition, name: str, nulls: Sequence[str]) -> Columns:
    """Return the columns of a score, of its random masks, and of its differences to the nulls."""
    column = score_column(name, "mean", condition.on)
    columns: Columns = [(column, condition.scores[name])]
    for null in nulls:
        # With a column of means for each null, the table would be too wide for a page.
        if null in RANDOM_MASKS:
            means = means_of(condition.sums(f"{name}_{null}"))
            columns.append((Column(condition.on, null, column.decimals), means))
        difference = score_column(name, f"− {null}", condition.on, difference=True)
        columns.append((difference, with_intervals(condition.sums_less_null(name, null))))
    return columns
