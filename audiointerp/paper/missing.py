"""What results lack for all of the paper's tables, in sentences."""

from collections.abc import Iterable, Iterator, Sequence

import pandas as pd

from ..experiments import EXPERIMENTS
from ..interpretation import RANDOM_MASKS
from ..scoring import ON
from ..tables import ClipNames, Distinct, Part, clip_names, has_null
from .names import is_clean, is_noise_trained, label
from .published import PUBLISHED_METHODS, STUDY_MASKS
from .shard_pairs import have_same_shards

KEYS = ["transform", "experiment", "method"]


def missing(
    rows: pd.DataFrame,
    on: Sequence[str] = ON,
    clips: ClipNames | None = None,
    *,
    experiments: Sequence[str] | None = None,
    methods: Sequence[str] | None = None,
    parts: Sequence[Part] = (),
) -> list[str]:
    """Return what results lack of the study's experiments, methods and masks, and what failed.

    Args:
        rows: results, see :func:`~audiointerp.tables.results.read_results`.
        on: names in ``ON`` that should be there.
        clips: the clips of the results; those of the rows if None.
        experiments, methods: those that should be there; the published ones if None.
        parts: where all rows are, if ``rows`` has one of each kind.

    >>> from .example import example_rows
    >>> missing(example_rows(masks=STUDY_MASKS), on=["features"])[:2]
    ['no results of stft_clean, mel_horse, mel_room, mel_white', \
'mel_clean: no wrongly classified clip']
    """
    clips = clip_names(rows) if clips is None else clips
    present = set(rows["experiment"])
    wanted = EXPERIMENTS if experiments is None else experiments
    absent = [name for name in wanted if name not in present]
    sentences = [f"no results of {', '.join(absent)}"] if absent else []
    expected = PUBLISHED_METHODS if methods is None else methods
    for (transform, experiment), group in rows.groupby(["transform", "experiment"], sort=False):
        name = label(str(transform), str(experiment))
        sentences += [f"{name}: {sentence}" for sentence in _lacking(group, on, clips, expected)]
    return [*sentences, *_not_comparable(rows, clips, parts)]


def _lacking(
    rows: pd.DataFrame, on: Sequence[str], clips: ClipNames, expected: Sequence[str]
) -> Iterator[str]:
    """Yield what the results of one experiment lack."""
    scored = rows[rows["status"] == "ok"]
    present = set(rows["method"])
    methods = [name for name in expected if name not in present]
    if methods:
        yield f"no {', '.join(methods)}"
    yield from _failures(rows, clips)
    for masks, without in _methods_without(scored, "mask", STUDY_MASKS).items():
        yield f"{', '.join(without)} without the masks {', '.join(masks)}"
    for missing_on, without in _methods_without(scored, "on", on).items():
        yield f"{', '.join(without)} not scored on {', '.join(missing_on)}"
    if scored.empty:
        return
    for correct, adverb in ((True, "correctly"), (False, "wrongly")):
        if "correct" not in scored or not (scored["correct"] == correct).any():
            yield f"no {adverb} classified clip"
    # The other nulls are shown where results have them; those of version 0.1.0 do not.
    absent = [null for null in RANDOM_MASKS if not has_null(scored, null)]
    if absent:
        yield f"no random masks beside the scores ({', '.join(absent)})"


def _failures(rows: pd.DataFrame, clips: ClipNames) -> Iterator[str]:
    """Yield how many clips each method failed on, and at which stages."""
    for (transform, experiment, method), group in rows.groupby(KEYS, sort=False):
        failed = group[group["status"] != "ok"]
        if failed.empty:
            continue
        stages = failed["stage"].value_counts().to_dict() if "stage" in failed else {}
        counts = ", ".join(f"{stage} {count}" for stage, count in stages.items())
        of_method = clips.of(str(transform), str(experiment), str(method))
        share = f"{failed['clip'].nunique()} of {len(of_method)} clips"
        yield f"{method} failed on {share}{counts and f' ({counts})'}"


def _methods_without(
    rows: pd.DataFrame, column: str, known: Iterable[str]
) -> dict[tuple[str, ...], list[str]]:
    """Group the methods by the known values that their column lacks."""
    methods: dict[tuple[str, ...], list[str]] = {}
    for method, group in rows.groupby("method", sort=False):
        present = set(group[column])
        absent = tuple(name for name in known if name not in present)
        if absent:
            methods.setdefault(absent, []).append(str(method))
    return methods


def _not_comparable(rows: pd.DataFrame, clips: ClipNames, parts: Sequence[Part]) -> Iterator[str]:
    """Yield which noise experiments cannot be compared with the clean one."""
    noise_trained = rows["experiment"].map(is_noise_trained)
    for (transform, _), group in rows.groupby(["transform", noise_trained], sort=False):
        names = group["experiment"].unique()
        clean_names = [name for name in names if is_clean(str(name), str(transform))]
        clean_rows = group["experiment"].isin(clean_names)
        clean = group[clean_rows]
        if clean.empty:
            continue
        reference = clean["experiment"].iloc[0]
        for experiment, noisy in group[~clean_rows].groupby("experiment", sort=False):
            if "network" in group and set(noisy["network"]) != set(clean["network"]):
                yield (
                    f"{experiment} was run on another network than {reference}, so the two are "
                    "not compared"
                )
            elif not have_same_shards(
                _parts_of(parts, str(transform), [experiment]),
                _parts_of(parts, str(transform), clean_names),
            ):
                yield (
                    f"{experiment} has other shards than {reference}, so that so many rows are not "
                    "compared clip by clip"
                )
            elif not _have_same_clips(clips, str(transform), str(experiment), clean_names):
                yield (
                    f"{experiment} has other clips than {reference}: differences are of the clips "
                    "that both have"
                )


def _parts_of(parts: Sequence[Part], transform: str, experiments: Iterable[object]) -> list[Part]:
    places = [(transform, str(experiment)) for experiment in experiments]
    return [part for part in parts if part.place in places]


def _have_same_clips(
    clips: ClipNames, transform: str, noisy: str, clean_names: Iterable[str]
) -> bool:
    clean = Distinct()
    for name in clean_names:
        clean.include(clips.of(transform, name))
    return clean.equals(clips.of(transform, noisy))
