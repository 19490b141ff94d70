"""Each kind of table of the paper: a function of the settings that gives those tables of it that they allow."""

from collections.abc import Callable, Iterator, Sequence

import pandas as pd

from ..exports import Column, Table, table_of
from ..interpretation import MASKS, METHODS
from ..interpretation.baselines import BASELINES
from ..metrics import METRICS, RELATIVE
from ..tables import METHODS as STUDY
from ..tables import SCORES
from .cells import averaged, place, with_intervals
from .columns import INTERVALS, clips_in, published_of, score_column, score_table
from .settings import SUBSETS, Setting, against_noise

Parts = dict[str, pd.DataFrame]


def masks(found: Sequence[Setting], published: bool) -> Iterator[Table]:
    """Masks × scores, a block for each method."""
    for setting in found:
        yield score_table(
            setting.name("masks", setting.label, setting.subset), f"Masks × scores of each method: {setting.title}",
            _means_over(setting), setting.scores, published_of(setting) if published else None,
        )  # fmt: skip


def methods(found: Sequence[Setting], published: bool) -> Iterator[Table]:
    """Methods × scores, a block for each mask."""
    for setting in found:
        parts = {head: _by_mask(part) for head, part in setting.scores.items()}
        beside = published_of(setting) if published else None
        yield score_table(
            setting.name("methods", setting.label, setting.subset), f"Methods × scores of each mask: {setting.title}",
            _means_over(setting), parts, None if beside is None else beside.swaplevel(),
        )  # fmt: skip


def _means_over(setting: Setting) -> str:
    return f"Means over {clips_in(setting)}."


def _by_mask(part: pd.DataFrame) -> pd.DataFrame:
    """Rows by (mask, method) rather than by (method, mask)."""
    cells = sorted(part.index, key=lambda cell: (place(cell[1], MASKS), place(cell[0], METHODS)))
    return part.loc[cells].swaplevel()


def noise(found: Sequence[Setting], published: bool) -> Iterator[Table]:
    """A method's scores on clean clips and under each noise, a block for each mask."""
    for clean, noisy in against_noise(found):
        scores = {one.label: one.scores for one in (clean, *noisy)}
        theirs = {one.label: published_of(one) for one in (clean, *noisy)} if published else {}
        beside = {name: part for name, part in theirs.items() if part is not None}
        for method in _methods_in(scores[clean.label]["FF"].index):
            parts = {head: _blocks({name: own[head] for name, own in scores.items()}, method)
                     for head in scores[clean.label]}  # fmt: skip
            if len(parts["FF"].index.unique("experiment")) < 2:
                continue
            yield score_table(
                clean.name("noise", clean.features, method), f"Clean and noisy: {_of(clean, method)}", _means_over(clean),
                parts,
                _blocks(beside, method) if any(method in part.index for part in beside.values()) else None,
            )  # fmt: skip


def noise_differences(found: Sequence[Setting], published: bool) -> Iterator[Table]:
    """What each noise adds to a method's scores, clip by clip, a block for each mask."""
    for clean, noisy in against_noise(found):
        added = {one.label: {name: _added(clean, one, name) for name in SCORES} for one in noisy}
        for method in _methods_in(clean.values("FF").columns):
            having = {name: parts for name, parts in added.items() if method in parts["FF"].index}
            if having:
                columns = [
                    (score_column(name, difference=True), _blocks({one: having[one][name] for one in having}, method))
                    for name in SCORES
                ]
                yield table_of(
                    clean.name("noise_differences", clean.features, method), f"Noisy less clean: {_of(clean, method)}",
                    "Mean over the clips of what the noise adds to the score of the same clip, method and mask, where both are "
                    f"defined. {INTERVALS}", columns,
                )  # fmt: skip


def _of(clean: Setting, method: str) -> str:
    return f"{method}, {clean.features}, all clips, {clean.how}"


def _methods_in(index: pd.Index) -> list[str]:
    return list(dict.fromkeys(index.get_level_values("method")))


def _added(clean: Setting, noisy: Setting, name: str) -> pd.DataFrame:
    """What noise adds to a score, of the clips and cells that both settings have."""
    before, after = clean.values(name), noisy.values(name)
    clips = before.index.intersection(after.index)
    cells = [cell for cell in before.columns if cell in after.columns]
    return with_intervals(after.loc[clips, cells] - before.loc[clips, cells])


def _blocks(parts: Parts, method: str) -> pd.DataFrame:
    """One method's rows of several experiments, by (mask, experiment)."""
    own = {name: part.loc[method] for name, part in parts.items() if method in part.index}
    joined = pd.concat(own, names=["experiment", "mask"])
    order = list(own)
    cells = sorted(joined.index, key=lambda cell: (place(cell[1], MASKS), order.index(cell[0])))
    return joined.loc[cells].swaplevel()


def summary(found: Sequence[Setting], published: bool) -> Iterator[Table]:
    """Per method the mean over masks, and per mask the mean over methods, a block for each experiment."""
    together: dict[tuple[str, str, str], list[Setting]] = {}
    for setting in found:
        together.setdefault((setting.protocol, setting.on, setting.subset), []).append(setting)
    for (_, _, subset), own in together.items():
        for level, over in (("method", "mask"), ("mask", "method")):
            made = {setting.label: _averages(setting, level) for setting in own}
            kept = {name: parts for name, parts in made.items() if parts is not None}
            if not kept:
                continue
            parts = {name: pd.concat({one: kept[one][name] for one in kept}, names=["experiment"]) for name in SCORES}
            theirs = {setting.label: _published_average(setting, level) for setting in own} if published else {}
            beside = {name: part for name, part in theirs.items() if part is not None and name in kept}
            yield score_table(
                own[0].name("summary", f"{level}s", subset), f"{level.capitalize()}s, the mean over {over}s: "
                f"{SUBSETS[subset][1]}, {own[0].how}", _OVER[over], parts,
                pd.concat(beside, names=["experiment"]) if beside else None,
            )  # fmt: skip


_OVER = {
    "mask": "Means of the masks' means, over the masks that every method of the experiment has. A mask that is undefined for "
    "every clip is left out.",
    "method": f"Means of the methods' means ({', '.join(STUDY)}, as far as they are there), of the masks that every method of "
    "the experiment has.",
}


def _common(cells: pd.Index, level: str) -> list[tuple[str, str]]:
    """The cells of the masks that every method has; of the study's methods alone where methods are averaged over."""
    by_method = {method: {mask for own, mask in cells if own == method} for method in _methods_in(cells)}
    shared = set.intersection(*by_method.values())
    return [(method, mask) for method, mask in cells if mask in shared and (level == "method" or method in STUDY)]


def _averages(setting: Setting, level: str) -> Parts | None:
    values = {name: setting.values(name) for name in SCORES}
    cells = _common(values["FF"].columns, level)
    return {name: averaged(part[cells], level) for name, part in values.items()} if cells else None


def _published_average(setting: Setting, level: str) -> pd.DataFrame | None:
    """The published means over the same masks, and over those of the same methods that were published."""
    theirs = published_of(setting)
    if theirs is None:
        return None
    cells = [cell for cell in _common(setting.values("FF").columns, level) if cell in theirs.index]
    return theirs.loc[cells].groupby(level=level).mean() if cells else None


def heard(found: Sequence[Setting], published: bool) -> Iterator[Table]:
    """A score on features beside that on audio, each beside random masks of the same values, a block for each method."""
    together: dict[tuple[str, str, str], list[Setting]] = {}
    for setting in found:
        if setting.subset == "all":
            together.setdefault((setting.features, setting.label, setting.protocol), []).append(setting)
    for own in together.values():
        first, both = own[0], len(own) > 1
        kinds = [kind for kind in BASELINES if any(one.rows[f"FF_{kind}"].notna().any() for one in own)]
        if not (both or kinds):
            continue
        where = f"{first.label}, all clips" + ("" if first.protocol == "sound" else f", protocol {first.protocol}")
        for name in RELATIVE:
            columns = [column for one in own for column in _beside_baselines(one, name, kinds)]
            if both:
                seen, audible = (one.values(name) for one in own)
                columns.append(
                    (score_column(name, "− features", "audio", difference=True), with_intervals(audible - seen))
                )
            ours = first.name("heard", first.label, name).replace(f"_on_{first.on}", "")
            yield table_of(
                ours, f"{name} on {' and on '.join(one.on for one in own)}, beside random masks: {where}",
                f"Means over {clips_in(first)}. pixelwise, smooth: random masks of the same values, bin by bin or in blobs; "
                f"− pixelwise, − smooth: what the score exceeds theirs by, clip by clip "
                f"({'more' if METRICS[name].higher_is_better else 'less'} is better); 0 where a mask is the same "
                f"everywhere, since its random masks are too. {INTERVALS}", columns,
            )  # fmt: skip


def _beside_baselines(setting: Setting, name: str, kinds: Sequence[str]) -> list[tuple[Column, pd.DataFrame]]:
    values = setting.values(name)
    columns = [(score_column(name, "mean", setting.on), with_intervals(values))]
    for kind in kinds:
        random = setting.values(f"{name}_{kind}")
        columns.append((Column(setting.on, kind, columns[0][0].decimals), with_intervals(random)[["mean"]]))
        columns.append((score_column(name, f"− {kind}", setting.on, difference=True), with_intervals(values - random)))
    return columns


KINDS: dict[str, Callable[[Sequence[Setting], bool], Iterator[Table]]] = {
    "summary": summary,
    "masks": masks,
    "methods": methods,
    "noise": noise,
    "noise_differences": noise_differences,
    "heard": heard,
}
