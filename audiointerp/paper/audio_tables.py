"""Scores on features beside scores on audio, and beside random masks of the same values."""

from collections.abc import Iterator, Sequence

from ..interpretation import BASELINES
from ..metrics import METRICS, RELATIVE
from ..tables import Column, Table, table_of
from .columns import INTERVALS, Columns, clips_in, score_column
from .conditions import Condition
from .statistics import means_of, with_intervals


def audio_tables(conditions: Sequence[Condition], published: bool) -> Iterator[Table]:
    """Yield a table per experiment and score that asks the network, a block for each method.

    Nothing was published on audio, so ``published`` changes nothing.

    >>> from .conditions import find_conditions
    >>> from .example import example_rows
    >>> rows = example_rows(on=("features", "audio"))
    >>> table = next(audio_tables(find_conditions(rows), False))
    >>> table.title
    'FF on features and on audio, beside random masks: mel_clean, all clips'
    """
    together: dict[tuple[str, str, str], list[Condition]] = {}
    for condition in conditions:
        if condition.subset == "all":
            key = (condition.transform, condition.label, condition.protocol)
            together.setdefault(key, []).append(condition)
    for group in together.values():
        kinds = [kind for kind in BASELINES if _has_baseline(group, kind)]
        if len(group) > 1 or kinds:
            for name in RELATIVE:
                yield _audio_table(group, name, kinds)


def _has_baseline(group: Sequence[Condition], kind: str) -> bool:
    return any(condition.rows[f"FF_{kind}"].notna().any() for condition in group)


def _audio_table(group: Sequence[Condition], name: str, kinds: Sequence[str]) -> Table:
    first = group[0]
    columns: Columns = []
    for condition in group:
        columns += _beside_baselines(condition, name, kinds)
    if len(group) > 1:
        on_features, on_audio = (condition.values(name) for condition in group)
        column = score_column(name, "− features", "audio", difference=True)
        columns.append((column, with_intervals(on_audio - on_features)))
    scored_on = " and ".join(f"on {condition.on}" for condition in group)
    protocol = "" if first.protocol == "corrected" else f", protocol {first.protocol}"
    better = "more" if METRICS[name].higher_is_better else "less"
    return table_of(
        first.name("audio", first.label, name).replace(f"_on_{first.on}", ""),
        f"{name} {scored_on}, beside random masks: {first.label}, all clips{protocol}",
        f"Means over {clips_in(first)}. pixelwise, smooth: random masks of the same values, bin by "
        "bin or in blobs. − pixelwise, − smooth: the score minus the random mask's, clip by clip "
        f"({better} is better); 0 where a mask is constant, since its random masks equal it. "
        f"{INTERVALS}",
        columns,
    )


def _beside_baselines(condition: Condition, name: str, kinds: Sequence[str]) -> Columns:
    """Return the columns of a score, of its random masks, and of the difference to them."""
    values = condition.values(name)
    column = score_column(name, "mean", condition.on)
    columns: Columns = [(column, condition.scores[name])]
    for kind in kinds:
        random = condition.values(f"{name}_{kind}")
        columns.append((Column(condition.on, kind, column.decimals), means_of(random)))
        difference = score_column(name, f"− {kind}", condition.on, difference=True)
        columns.append((difference, with_intervals(values - random)))
    return columns
