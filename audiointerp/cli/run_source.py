"""A finished run with the classifier and the clips it was computed from, to be shown again."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import typer
from torch import Tensor

from ..dataset import ClipDataset, LoadedClip, load_clip
from ..errors import ArgumentError
from ..experiments import (
    Experiment,
    FinishedMethod,
    background_of_folder,
    clips_of,
    finished_methods,
)
from ..interpretation import METHODS, Explainer, resolve_mask
from ..model import Classifier, optimized
from ..predict import Interpretation, interpret
from ..scoring import verdict_of
from ..tables import (
    PageScores,
    Part,
    are_too_many,
    page_scores,
    parts_of_methods,
    read_runs,
    streamed_page_scores,
)
from ..util import encodable, show_progress
from .in_shards import check_manifest_options, open_manifest_for
from .options import numbers_in
from .own_clips import open_for_run, training_background
from .runs import open_for, training_background_of
from .shown_clips import shown_clips
from .source_checks import check_source

LARGEST_CHANGE = 0.01
"""Of p of a clip between a run and now; another device and its precision change it by less."""

ROW_COLUMNS = ("method", "clip", "status", "explained", "p")
"""What must be known of the rows of a clip that is shown."""


@dataclass(frozen=True)
class Place:
    """Where the clips of a run are: the options of ``audiointerp run``.

    >>> Place(None, None, None, None, None).words
    'the synthetic clips'
    """

    data: Path | None
    clips: Path | None
    part: str | None
    subset: str | None
    folds: str | None
    manifest: str | None = None

    @property
    def words(self) -> str:
        """The place in words, without its folders."""
        path = self.data or self.clips or self.manifest
        if path is None:
            return "the synthetic clips"
        return f"the clips in {str(path).rstrip('/').rpartition('/')[2]}"

    def open(self, classifier: Classifier) -> ClipDataset:
        """Open the clips for a classifier.

        Raises:
            ArgumentError, DatasetError: the options do not fit together, or there are no clips.
        """
        check_source(self.data, self.clips, self.manifest, self.subset, self.part)
        if self.manifest is not None:
            check_manifest_options(self.folds, lacks_background=False)
            return open_manifest_for(classifier, self.manifest)
        if self.clips is not None:
            return open_for_run(classifier, self.clips, self.folds, self.part)[0]
        return open_for(
            classifier, self.data, numbers_in(self.folds or "5", "--folds"), self.subset
        )

    def background(self, classifier: Classifier) -> Tensor:
        """Draw a background from the training clips.

        Raises:
            ArgumentError, DatasetError: they are not known.
        """
        if self.manifest is not None:
            check_manifest_options(self.folds, lacks_background=True)
        if self.clips is not None:
            split = open_for_run(classifier, self.clips, self.folds, self.part)[1]
            return training_background(classifier, self.clips, split)
        return training_background_of(classifier, self.data, self.subset)


@dataclass(frozen=True, eq=False)
class Source:
    """A finished run, with what it was computed from.

    Attributes:
        methods: of the run.
        explainers: what explains a clip anew, of the methods that need it.
        rows: the scores; of a run that does not fit into memory, those of the clips that are shown.
        classifier: the classifier.
        clips: all clips of the run.
        shown: the numbers of those that are shown.
        mask: the name of the mask that is heard.
        place: where the clips are.
        parts: the shards of a run that does not fit into memory; otherwise none.

    Example: :func:`open_source` makes one.
    """

    methods: Sequence[FinishedMethod]
    explainers: Mapping[str, Explainer]
    rows: pd.DataFrame
    classifier: Classifier
    clips: ClipDataset
    shown: Sequence[int]
    mask: str
    place: Place
    parts: Sequence[Part] = ()

    @property
    def scores(self) -> PageScores:
        """The scores of all clips of the run."""
        if self.parts:
            return streamed_page_scores(self.parts, self.mask)
        return page_scores(self.rows, self.mask)

    def explained(self) -> Iterator[tuple[LoadedClip, list[Interpretation]]]:
        """Explain each clip that is shown, see :meth:`explained_clip`, but those that are left out.

        Raises:
            ArgumentError: p of a clip is not that of the run, so it is another sound.
        """
        with show_progress("explaining", len(self.shown), "clip") as advance:
            for index in self.shown:
                loaded, results = self.explained_clip(index)
                if results:
                    yield loaded, results
                advance(1)

    def explained_clip(self, index: int) -> tuple[LoadedClip, list[Interpretation]]:
        """Explain one clip by every method: the class that the run explained.

        Of a clip that cannot be read there is no result, and a line says so.

        Raises:
            ArgumentError: p of the clip is not that of the run, so it is another sound.
        """
        loaded = load_clip(self.clips, index)
        if loaded.wav is None:
            typer.echo(f"{loaded.name} is left out: {loaded.error}", err=True)
            return loaded, []
        return loaded, [
            self._explained(method, index, loaded.name, loaded.wav[None]) for method in self.methods
        ]

    def _explained(
        self, method: FinishedMethod, index: int, name: str, wav: Tensor
    ) -> Interpretation:
        explainer, target = self._explainer(method, index, name)
        # A run explains all windows of a clip. The verdict takes most of the forwards, by the copy.
        result = interpret(
            self.classifier,
            wav,
            explainer,
            self.mask,
            target=target,
            windows="all",
            compared=0,
        )
        self._check_sound(method, name, result)
        verdict = verdict_of(
            self._fast, result.spectrogram, result.attribution, result.mask, result.mask_name
        )
        return replace(result, clip=name, verdict=verdict, classifier=self._fast)

    @cached_property
    def _fast(self) -> Classifier:
        """The classifier with a faster copy of its network."""
        return optimized(self.classifier, "folded")

    def _check_sound(self, method: FinishedMethod, clip: str, result: Interpretation) -> None:
        rows = self.rows[(self.rows["method"] == method.name) & (self.rows["status"] == "ok")]
        of_clip = rows[(rows["clip"].astype(str) == clip) & (rows["explained"] == result.explained)]
        if of_clip.empty:
            return
        before = float(of_clip["p"].iloc[0])
        now = float(result.attribution.probs[0, int(result.attribution.target)])
        if abs(now - before) > LARGEST_CHANGE:
            raise ArgumentError(
                f"{clip}: p of {result.explained} is {now:.3f}, and was {before:.3f} in the run, "
                f"so this is another sound of that name; give the data of that run, and its --noise"
            )

    def _explainer(
        self, method: FinishedMethod, index: int, clip: str
    ) -> tuple[Explainer, int | None]:
        stored = method.stored(self.classifier.network, index, clip)
        if stored is not None:
            return stored, stored.target
        rows = self.rows[(self.rows["method"] == method.name) & (self.rows["status"] == "ok")]
        labels = rows.loc[rows["clip"].astype(str) == clip, "explained"]
        target = None if labels.empty else self.classifier.target(str(labels.iloc[0]))
        return self.explainers[method.name], target


def open_source(
    runs: Sequence[Path],
    classifier: Classifier,
    place: Place,
    *,
    noise: Path | None = None,
    background: Path | None = None,
    mask: str = "topK_30",
    most: int | None = None,
    names: Sequence[str] | None = None,
    labels: Sequence[str] | None = None,
) -> Source:
    """Open a run, and check that the classifier and the clips are those of the run.

    Args:
        runs: folders of one experiment, or of its methods.
        classifier: the classifier.
        place: where the clips are.
        noise: the sound file that replaced the experiment's noise.
        background: a folder of clips, for methods that compare with some.
        mask: what is heard.
        most, names, labels: the clips that are shown, see
            :func:`~audiointerp.cli.shown_clips.shown_clips`.

    Raises:
        ArgumentError: they are not those of the run.
        AudioInterpError: a folder has no finished results.

    Example: the command ``audiointerp report`` calls it.
    """
    mask_name, _ = resolve_mask(mask)
    methods = finished_methods(runs)
    clips = clips_of(_experiment(methods[0].record), place.open(classifier), noise)
    for method in methods:
        method.check(classifier, clips)
    shown = shown_clips(clips, names, labels, most)
    shown_names = {index: clips.clip_id(index) for index in shown}
    rows, parts = _rows([method.folder for method in methods], shown_names)
    anew = [method for method in methods if not method.has_stored(shown_names)]
    features = None
    if background is not None:
        features = background_of_folder(background, classifier)
    elif any(each.name in METHODS and METHODS[each.name].needs_background for each in anew):
        features = place.background(classifier)
    explainers = {method.name: method.explainer(classifier, features) for method in anew}
    return Source(methods, explainers, rows, classifier, clips, shown, mask_name, place, parts)


def _rows(folders: Sequence[Path], shown: Mapping[int, str]) -> tuple[pd.DataFrame, list[Part]]:
    """Read the rows of methods; of too many, those of the clips shown, and return the shards."""
    parts = parts_of_methods(folders)
    if not are_too_many(parts):
        return read_runs(folders), []
    names = {encodable(name) for name in shown.values()}
    frames = []
    for part in parts:
        if any(index in part.clips for index in shown):
            rows = part.read(ROW_COLUMNS)
            frames.append(rows[rows["clip"].astype(str).isin(names)])
    return pd.concat(frames, ignore_index=True), parts


def _experiment(record: Mapping[str, Any]) -> Experiment:
    try:
        return Experiment(**record["experiment"])
    except (KeyError, TypeError) as error:
        raise ArgumentError(
            f"run.json does not say which experiment it is ({error}); repeat the run"
        ) from error
