"""The kinds of tables of the paper: each a function from conditions to the tables they allow."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import pandas as pd

from ..interpretation import MASKS, METHODS
from ..tables import Table, table_of
from .audio_tables import audio_tables
from .columns import clips_in, interval_note, published_of, score_column, score_table
from .conditions import Condition, against_noise
from .names import is_noise_trained
from .published import PUBLISHED_SCORES
from .statistics import place
from .summary_tables import summary_tables


def _mask_tables(conditions: Sequence[Condition], published: bool) -> Iterator[Table]:
    """Yield masks × scores, a block for each method."""
    for condition in conditions:
        yield score_table(
            condition.name("masks", condition.label, condition.subset),
            f"Masks × scores of each method: {condition.title}",
            f"Means over {clips_in(condition)}.",
            condition.scores,
            published_of(condition) if published else None,
        )


def _method_tables(conditions: Sequence[Condition], published: bool) -> Iterator[Table]:
    """Yield methods × scores, a block for each mask."""
    for condition in conditions:
        scores = {head: _by_mask(part) for head, part in condition.scores.items()}
        means = published_of(condition) if published else None
        yield score_table(
            condition.name("methods", condition.label, condition.subset),
            f"Methods × scores of each mask: {condition.title}",
            f"Means over {clips_in(condition)}.",
            scores,
            None if means is None else means.swaplevel(),
        )


def _by_mask(statistics: pd.DataFrame) -> pd.DataFrame:
    """Turn rows by (method, mask) into rows by (mask, method)."""

    def order(cell: tuple[str, str]) -> tuple[object, ...]:
        method, mask = cell
        return place(mask, MASKS), place(method, METHODS)

    return statistics.loc[sorted(statistics.index, key=order)].swaplevel()


def _noise_tables(conditions: Sequence[Condition], published: bool) -> Iterator[Table]:
    """Yield a method's scores on clean clips and under each noise, a block for each mask."""
    for clean, noisy in against_noise(conditions):
        compared = (clean, *noisy)
        means = {other.label: published_of(other) for other in compared} if published else {}
        found_means = {name: part for name, part in means.items() if part is not None}
        for method in _methods_in(clean.scores["FF"].index):
            scores = {}
            for head in clean.scores:
                by_experiment = {other.label: other.scores[head] for other in compared}
                scores[head] = _blocks(by_experiment, method)
            if len(scores["FF"].index.unique("experiment")) < 2:
                continue
            has_means = any(method in part.index for part in found_means.values())
            yield score_table(
                clean.name("noise", *_network(clean), method),
                f"Clean and noisy: {_scope(clean, method)}",
                f"Means over {clips_in(clean)}.",
                scores,
                _blocks(found_means, method) if has_means else None,
            )


def _difference_tables(conditions: Sequence[Condition], published: bool) -> Iterator[Table]:
    """Yield the change of a method's scores under each noise, clip by clip, a block per mask."""
    for clean, noisy in against_noise(conditions):
        subtractable = [other for other in noisy if other.can_be_less(clean)]
        changes = {other.label: other.differences(clean) for other in subtractable}
        for method in dict.fromkeys(method for method, _ in clean.cells):
            with_method = {
                experiment: parts
                for experiment, parts in changes.items()
                if method in parts["FF"].index
            }
            if not with_method:
                continue
            columns = []
            for name in PUBLISHED_SCORES:
                by_experiment = {
                    experiment: with_method[experiment][name] for experiment in with_method
                }
                columns.append(
                    (score_column(name, difference=True), _blocks(by_experiment, method))
                )
            yield table_of(
                clean.name("noise_differences", *_network(clean), method),
                f"Noisy minus clean: {_scope(clean, method)}",
                "Mean difference over the clips: the score under noise minus the score of the same "
                f"clean clip, method and mask, where both are defined. {interval_note(columns)}",
                columns,
            )


def _scope(clean: Condition, method: str) -> str:
    return f"{method}, {', '.join(_network(clean))}, all clips, {clean.how}"


def _network(clean: Condition) -> list[str]:
    """Return the words that tell the study's networks of one transform apart."""
    words = [clean.transform]
    return [*words, "trained with noise"] if is_noise_trained(clean.experiment) else words


def _methods_in(index: pd.Index) -> list[str]:
    return list(dict.fromkeys(index.get_level_values("method")))


def _blocks(by_experiment: Mapping[str, pd.DataFrame], method: str) -> pd.DataFrame:
    """Join one method's rows of several experiments; the index is (mask, experiment)."""
    parts = {
        experiment: part.loc[method]
        for experiment, part in by_experiment.items()
        if method in part.index
    }
    joined = pd.concat(parts, names=["experiment", "mask"])
    experiments = list(parts)

    def order(cell: tuple[str, str]) -> tuple[object, ...]:
        experiment, mask = cell
        return place(mask, MASKS), experiments.index(experiment)

    return joined.loc[sorted(joined.index, key=order)].swaplevel()


KINDS: dict[str, Callable[[Sequence[Condition], bool], Iterator[Table]]] = {
    "summary": summary_tables,
    "masks": _mask_tables,
    "methods": _method_tables,
    "noise": _noise_tables,
    "noise_differences": _difference_tables,
    "audio": audio_tables,
}
"""The kinds of tables by name; a kind takes conditions and whether to show published means."""
FORMER_KINDS = {"heard": "audio"}
"""Former names of kinds, still accepted."""
