"""One clip and one question while a person explores them: methods, boxes, and a page of it all."""

import copy
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor

from ..errors import ArgumentError
from ..model import Classifier
from ..scoring import (
    COMPARED,
    ExplainedClip,
    Verdict,
    build_explainer,
    explained_clip,
    verdict_of,
    window_name,
)
from .clip_data import clip_data
from .explore_box import box_entry, box_mask, with_box
from .explore_clips import Source
from .explore_jobs import Job
from .explore_pins import Pin, pin_of, section_of

UNKNOWN = "explain the clip first: wait until a method is done"


class ExploredClip:
    """What is known of a clip; methods are added from one thread, boxes are answered in another.

    Args:
        source: the clip.
        target: the label that is explained; the predicted one if None.
        against: the label it is explained against, or None.

    Attributes:
        results: by method.
        data: of the page, see :func:`~audiointerp.display.clip_data.clip_data`.
        section: HTML of the page.

    >>> import torch, audiointerp as ai
    >>> classifier = ai.Classifier(ai.Cnn6(2, base_channels=2), ai.LogMel(), ["dog", "rain"], 1.0)
    >>> clip = ExploredClip(Source("noise", "noise", lambda: torch.randn(32000)))
    >>> clip.explain(Job("saliency", print), classifier)["kind"]
    'section'
    >>> entry = clip.box(classifier, box_mask((64, 101), (0, 64), (0, 101)), {"isKept": True}, 0)
    >>> entry["pKept"] == clip.data["methods"][0]["named"][0]["pKept"]
    True
    """

    def __init__(
        self, source: Source, target: str | None = None, against: str | None = None
    ) -> None:
        self.source, self.target, self.against = source, target, against
        self.results: dict[str, ExplainedClip] = {}
        self.data: dict[str, Any] = {}
        self.section = ""
        self._lock = threading.Lock()

    @property
    def first(self) -> ExplainedClip:
        """The result of the method that was computed first.

        Raises:
            ArgumentError: none was computed yet.
        """
        if not self.results:
            raise ArgumentError(UNKNOWN)
        return next(iter(self.results.values()))

    @property
    def shape(self) -> tuple[int, int]:
        """The bins and frames of its grid."""
        bins, frames = self.first.spectrogram.db.shape[2:]
        return bins, frames

    def explain(
        self, job: Job, classifier: Classifier, background: Tensor | None = None
    ) -> dict[str, Any]:
        """Explain the clip by one method, whose name is the job's.

        Args:
            job: says how far it is, and ends it.
            classifier: has a network of its own, since methods hang hooks on it.
            background: for methods that need one.

        Returns:
            The event for the page: its whole section, or one more method.
        """
        job.begin("explaining")
        explainer = build_explainer(job.name, classifier, background)
        if hasattr(explainer, "progress"):
            explainer.progress = job.show
        with job.watched(classifier.network):
            result = explained_clip(
                classifier,
                self.source.load(),
                explainer,
                record=ExplainedClip,
                target=self.target,
                against=self.against,
            )
            result = replace(result, clip=window_name(self.source.name, result.limits))
            job.begin("comparing with random masks")
            data = clip_data([result])
        job.begin("making the page")
        with self._lock:
            is_first = not self.results
            if is_first:
                self.data = data
            else:
                self.data["methods"] += data["methods"]
            self.results[job.name] = result
            results, whole = self.copied()
        # Without the lock, since a picture takes longer than the answer to a box may.
        self.section = section_of(results, whole)
        return {"kind": "section"} if is_first else {"kind": "method", "entry": data["methods"][0]}

    def copied(self) -> tuple[list[ExplainedClip], dict[str, Any]]:
        """Return the results, and a copy of the page's data."""
        return list(self.results.values()), copy.deepcopy(self.data)

    def box(
        self,
        classifier: Classifier,
        mask: Tensor,
        place: Mapping[str, Any],
        method: int,
        compared: int = 0,
    ) -> dict[str, Any]:
        """Judge what a person's box keeps, and put it into the page.

        Args:
            classifier: the classifier.
            mask: what is kept, the box or all but the box.
            place: of the box, see :func:`~audiointerp.display.explore_box.box_entry`.
            method: the number of the method on whose map it was drawn.
            compared: the number of random masks to compare with.

        Raises:
            ArgumentError: the clip was not explained yet, or there is no such method.
        """
        verdict = self._box_verdict(classifier, mask, place, compared)
        entry = box_entry(mask, place, verdict)
        with self._lock:
            with_box(self.data["methods"], method, entry)
        return entry

    def compare_box(
        self, job: Job, classifier: Classifier, mask: Tensor, place: Mapping[str, Any], method: int
    ) -> dict[str, Any]:
        """Compare a box with random masks of its values; return the event for the page."""
        job.begin("comparing with random masks")
        with job.watched(classifier.network):
            verdict = self._box_verdict(classifier, mask, place, COMPARED)
        entry = box_entry(mask, place, verdict)
        with self._lock:
            # Another box may have taken its place.
            job.check()
            with_box(self.data["methods"], method, entry)
        return {"kind": "box", "entry": entry, "method": method}

    def _box_verdict(
        self, classifier: Classifier, mask: Tensor, place: Mapping[str, Any], compared: int
    ) -> Verdict:
        first = self.first
        shown = (first.spectrogram, first.attribution)
        name = f"box {place}"
        verdict = verdict_of(classifier, *shown, mask, name, fill=first.fill, compared=compared)
        # A person drew it, whatever the attribution is.
        return replace(verdict, arbitrary=False)

    def pinned(self, shown: Mapping[str, Any]) -> Pin:
        """Pin the clip as it is shown, see :func:`~audiointerp.display.explore_pins.pin_of`.

        Raises:
            ArgumentError: it was not explained yet, or there is no such method, share or mask.
        """
        if not self.results:
            raise ArgumentError(UNKNOWN)
        with self._lock:
            results, data = self.copied()
        return pin_of(self.source, results, data, (self.target, self.against), shown)


def drawn_box(
    clip: ExploredClip, bins: Sequence[int], frames: Sequence[int], is_kept: Any
) -> tuple[Tensor, dict[str, Any]]:
    """Return the mask of a box that was drawn on a clip, and its place.

    Args:
        clip: the clip.
        bins, frames: see :func:`~audiointerp.display.explore_box.box_mask`.
        is_kept: whether the box is kept, or removed.

    Raises:
        ArgumentError: the box is empty or lies outside, or the clip was not explained yet.

    >>> drawn_box(ExploredClip(Source("noise", "noise", str)), [0, 1], [0, 1], True)
    Traceback (most recent call last):
    audiointerp.errors.ArgumentError: explain the clip first: wait until a method is done
    """
    box = box_mask(clip.shape, bins, frames)
    place = {"bins": list(bins), "frames": list(frames), "isKept": bool(is_kept)}
    return box if is_kept else 1 - box, place
