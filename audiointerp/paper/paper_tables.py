"""All tables of the paper from a folder of results, and the notes before them."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path

import pandas as pd

from ..errors import choose
from ..metrics import METRICS
from ..scoring import ON
from ..tables import (
    FEWEST,
    ClipNames,
    Table,
    classes_of,
    clip_names,
    unfinished,
    versions_of,
    write_tables,
)
from .chosen_rows import chosen_rows
from .conditions import Condition, find_conditions
from .missing import missing
from .published import PUBLISHED_SCORES
from .streamed import streamed_conditions
from .table_kinds import FORMER_KINDS, KINDS

__all__ = ["KINDS", "Paper", "missing", "notes", "paper_of", "paper_tables"]

LEADING = (("background", "audio"), ("silence", "features"))
"""The fills and what is scored that pages lead with: what is heard, and as published."""


@dataclass(frozen=True, eq=False)
class Paper:
    """The tables of the paper, computed when first asked for, then kept.

    Attributes:
        rows: the results.
        conditions: see :func:`~audiointerp.paper.conditions.find_conditions`.
        kinds: names in ``KINDS``.
        published: whether the published means are shown beside ours.
        title: of all tables.
        notes: paragraphs: what the tables are of and how to read them.
        lacking: what the results lack for all of the paper's tables, a sentence each.

    >>> from .example import example_rows
    >>> rows = example_rows()
    >>> paper = Paper(rows, find_conditions(rows), ["masks", "noise"], False, "Tables", [], [])
    >>> [table.name for table in paper.tables]
    ['masks_mel_clean_all_on_features', 'masks_mel_clean_correct_on_features']
    """

    rows: pd.DataFrame
    conditions: list[Condition]
    kinds: Sequence[str]
    published: bool
    title: str
    notes: list[str]
    lacking: list[str]
    _kept: dict[tuple[str, str | None], list[Table]] = field(
        init=False, default_factory=dict, repr=False
    )

    @property
    def tables(self) -> list[Table]:
        """All tables, in the order of their kinds."""
        tables = []
        for kind in self.kinds:
            tables += self.of_kind(kind)
        return tables

    def of_kind(self, kind: str, on: str | None = None) -> list[Table]:
        """Return the tables of one kind.

        Args:
            kind: a name in ``KINDS``.
            on: a name in ``ON``; both if None. The kind ``"audio"`` compares both.

        Raises:
            ArgumentError: a name is unknown.
        """
        kind = _choose_kind(kind)
        if on is not None:
            choose("on", on, ON)
        if (kind, on) not in self._kept:
            conditions = [each for each in self.conditions if on in (None, each.on)]
            self._kept[kind, on] = list(KINDS[kind](conditions, self.published))
        return self._kept[kind, on]

    def leading(self) -> "Paper":
        """Return the tables of :data:`LEADING` alone; all tables of results that have neither."""
        conditions = [each for each in self.conditions if (each.fill, each.on) in LEADING]
        if len(conditions) in (0, len(self.conditions)):
            return self
        note = (
            "Here is what is heard, the sound over the clip's background, and what was published, "
            "features over silence. `audiointerp tables` writes the other tables too."
        )
        return replace(self, conditions=conditions, notes=[*self.notes, note])

    def write(self, folder: str | os.PathLike[str], formats: Sequence[str]) -> list[Path]:
        """Write all tables; see :func:`~audiointerp.tables.write.write_tables`."""
        return write_tables(self.tables, folder, formats, self.title, self.notes)


def paper_of(
    root: str | os.PathLike[str],
    kinds: Sequence[str] | None = None,
    on: str | None = None,
    published: bool = False,
    *,
    experiments: Sequence[str] | None = None,
    methods: Sequence[str] | None = None,
    fill: str | None = None,
) -> Paper:
    """Return the paper's tables of a folder of results, which is read once.

    Args:
        root: see :func:`~audiointerp.tables.results.read_results`.
        kinds, published: see :func:`paper_tables`.
        on: a name in ``ON``; both if None.
        experiments, methods, fill: those of the tables; all that the results hold if None. What
            they lack of these is named in ``lacking``.

    Raises:
        ArgumentError: a name is unknown.
        AudioInterpError: there are no results, or no clip was scored.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from .example import example_rows
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     method = Path(folder) / "mel" / "mel_clean" / "lime"
    ...     method.mkdir(parents=True)
    ...     example_rows(methods=["lime"]).drop(
    ...         columns=["transform", "experiment", "network"]
    ...     ).to_csv(method / "metrics.csv", index=False)
    ...     paper = paper_of(folder, ["methods"], on="features")
    >>> paper.of_kind("methods")[0].title
    'Methods × scores of each mask: mel_clean, all clips, on features'
    """
    scored_on = ON if on is None else (choose("on", on, ON),)
    chosen = _choose_kinds(kinds)
    fills = None if fill is None else [fill]
    wanted = {"experiment": experiments, "method": methods, "fill": fills}
    rows, clips, parts = chosen_rows(root, wanted)
    lacking = [
        *unfinished(root),
        *missing(rows, scored_on, clips, experiments=experiments, methods=methods, parts=parts),
    ]
    rows = rows[rows["on"].isin(scored_on) | (rows["status"] != "ok")]
    title = "The tables of the paper, from our results" + (" and as published" if published else "")
    return Paper(
        rows,
        streamed_conditions(rows, parts) if parts else find_conditions(rows),
        chosen,
        published,
        title,
        [*notes(rows, lacking, classes_of(root), clips), *_version_notes(versions_of(root))],
        lacking,
    )


def paper_tables(
    rows: pd.DataFrame, kinds: Sequence[str] | None = None, published: bool = False
) -> list[Table]:
    """Return the tables of the paper that results allow, each of one protocol.

    - ``summary``: per method the mean over masks, per mask the mean over methods;
    - ``masks``: masks × scores of each method;
    - ``methods``: methods × scores of each mask;
    - ``noise``: the same method and mask on clean clips and under each noise;
    - ``noise_differences``: the same, as differences clip by clip;
    - ``audio``: scores on features and on audio, beside nulls.

    Tables are of one ``on``, except those of ``audio``. Summary, masks and methods are made of all
    clips, of the correctly and of the wrongly classified ones.

    Args:
        rows: results, see :func:`~audiointerp.tables.results.read_results`.
        kinds: names in ``KINDS``; all of them if None.
        published: whether to show the published means beside ours.

    Raises:
        ArgumentError: a kind is unknown.
        AudioInterpError: no clip was scored, or a clip has two rows of one method and mask in one
            condition.

    >>> from .example import example_rows
    >>> [table.name for table in paper_tables(example_rows(), ["audio"])][:2]
    ['audio_mel_clean_FF', 'audio_mel_clean_AI']
    """
    chosen = _choose_kinds(kinds)
    return Paper(rows, find_conditions(rows), chosen, published, "", [], []).tables


def _choose_kinds(names: Sequence[str] | None) -> list[str]:
    return list(KINDS) if names is None else [_choose_kind(name) for name in names]


def _choose_kind(name: str) -> str:
    return choose("kind of table", FORMER_KINDS.get(name, name), KINDS)


def notes(
    rows: pd.DataFrame,
    lacking: Sequence[str] = (),
    classes: Sequence[str] = (),
    clips: ClipNames | None = None,
) -> list[str]:
    """Return the paragraphs of a title page: what the tables are of, how to read them, what lacks.

    Args:
        rows: results, see :func:`~audiointerp.tables.results.read_results`.
        lacking: sentences of :func:`missing`, and on runs that are not finished.
        classes: the names of the classes.
        clips: the clips of the results; those of the rows if None.

    >>> from .example import example_rows
    >>> print(notes(example_rows(), classes=["dog"])[0])
    Experiments: mel_clean. Methods: saliency, gradcam, shap, lime. 2 masks, 2 clips, \
scored on features, protocol corrected. Classes: dog.
    """
    clips = clip_names(rows) if clips is None else clips
    paragraphs = [
        _scope(rows, classes, len(clips.of())),
        _score_note(),
        _interval_note(),
        _null_note(),
    ]
    if lacking:
        paragraphs.append(f"Missing for all of the paper's tables: {'; '.join(lacking)}.")
    return paragraphs


def _version_notes(versions: Sequence[str]) -> list[str]:
    """Say that results were computed under older definitions than those of this version."""
    older = [name for name in versions if name != version("audiointerp")]
    if not older:
        return []
    return [
        f"Computed by audiointerp {', '.join(older)}. Definitions have changed since: see the "
        "changelog. In 0.2.0 these are the order of equal entries in top-k masks, which changes "
        "the masks of LIME above all, and the nulls: their random fields are drawn for each method "
        "and mask anew, and rolled and other are new."
    ]


def _scope(rows: pd.DataFrame, classes: Sequence[str], clips: int) -> str:
    scored = rows[rows["status"] == "ok"]
    networks = [name for name in rows["network"].unique() if name] if "network" in rows else []
    sentences = [
        f"Experiments: {', '.join(rows['experiment'].unique())}.",
        f"Methods: {', '.join(rows['method'].unique())}.",
        f"{scored['mask'].nunique()} masks, {clips} clips, "
        f"scored on {', '.join(scored['on'].unique())}, "
        f"protocol {', '.join(scored['protocol'].unique())}.",
    ]
    if classes:
        sentences.append(f"Classes: {', '.join(classes)}.")
    if networks:
        sentences.append(f"Networks (SHA-256): {', '.join(name[:12] for name in networks)}.")
    return " ".join(sentences)


def _score_note() -> str:
    scores = []
    for name in PUBLISHED_SCORES:
        better = "high" if METRICS[name].higher_is_better else "low"
        scores.append(f"{name}: {METRICS[name].title} ({better} is better)")
    return (
        f"{', '.join(scores)}; AREA: mean of the mask, without direction. In each block the best "
        "is bold (* in plain text) and the worst italic (†); neither where all values are equal."
    )


def _interval_note() -> str:
    return (
        "In brackets: 95 % BCa intervals of a bootstrap that draws recordings, each with "
        f"all clips cut from it; none if fewer than {FEWEST} recordings have the score. An "
        "interval of zero width means that all clips agree, not that the mean is certain; about "
        "five in a hundred intervals miss. undefined %: clips whose mask is all zero, so that SPS "
        "and COMP are undefined and left out. constant %: masks of one value, all-zero ones "
        "included. The explained class is the predicted class; the true label only splits the "
        "clips."
    )


def _null_note() -> str:
    return (
        "The method random draws attributions without looking at the sound. Nulls are masks to "
        "compare with: pixelwise and smooth have the values of the mask that they stand beside in "
        "random places, rolled is that mask moved in time, other is made from another clip. For a "
        "0/1 mask "
        "SPS = 1 − AREA and COMP = ln(AREA · bins): one number in three columns."
    )
