"""The road as one call: explain a clip, hear it, score it; score a whole data set."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
from torch import Tensor
from tqdm import tqdm

from .dataset import ClipDataset
from .errors import ArgumentError, choose
from .explain import additivity_gap, build_explainer, check_fits, explain, score_masks
from .interpretation import MASKS, Attribution, Explainer
from .metrics import METRICS
from .model import Classifier
from .processing import Spectrogram

VALUES = (*METRICS, "p", "p_in", "p_out", "additivity_gap")
"""The columns of results that hold numbers; NaN where undefined."""


@dataclass(frozen=True, eq=False)
class Interpretation:
    """One clip, explained. Shown as the last value of a notebook cell, it is a picture with players.

    Attributes:
        wav, kept, removed: ``(1, 1, L)``; under a 0/1 mask the last two add up to the first.
        spectrogram: of the whole clip; ``attribution.values`` and ``mask`` are on its grid, ``(1, 1, F, T)``.
        attribution: of the explained class, ``attribution.target``; ``attribution.probs`` are those of the whole clip.
        mask: what was kept of each bin, in [0, 1].
        mask_name: its name in ``MASKS``.
        scores: by their names in ``METRICS``, with p, p_in and p_out; NaN where undefined.
        labels: the names of the classes.
    """

    wav: Tensor
    kept: Tensor
    removed: Tensor
    spectrogram: Spectrogram
    attribution: Attribution
    mask: Tensor
    mask_name: str
    scores: Mapping[str, float]
    labels: tuple[str, ...]

    @property
    def sample_rate(self) -> int:
        """Of the three sounds, in Hz."""
        return self.spectrogram.transform.sample_rate

    @property
    def explained(self) -> str:
        """The label that is explained."""
        return self.labels[int(self.attribution.target)]

    @property
    def predicted(self) -> str:
        """The label that the classifier gives the clip."""
        return self.labels[int(self.attribution.probs.argmax())]

    def __repr__(self) -> str:
        kept, removed = self.scores["p_in"], self.scores["p_out"]
        return (
            f"Interpretation({self.explained}, p = {self.scores['p']:.3f}, kept {kept:.3f}, removed {removed:.3f}; "
            f"{self.attribution.method}, {self.mask_name})"
        )

    def _repr_html_(self) -> str:
        from .report import interpretation_html

        return interpretation_html(self)


def interpret(
    classifier: Classifier,
    wav: Tensor,
    method: str | type[Explainer] | Explainer = "gradcam",
    mask: str = "topK_30",
    *,
    target: str | int | None = None,
    background: Tensor | None = None,
    inversion: str = "gain",
    device: str | torch.device | None = None,
) -> Interpretation:
    """Explain one clip and make the explanation audible.

    Args:
        classifier: what decided.
        wav: ``(1, 1, L)`` at the classifier's sample rate, normalised as in training; ``load_audio`` gives both.
        method: a name in ``METHODS``, an explainer's class, or an explainer.
        mask: a name in ``MASKS``.
        target: the label to explain, by name or number; the predicted one if None.
        background: for SHAP, features ``(B, 1, F, T)`` of windows of the classifier's length.
        inversion: see :meth:`~audiointerp.processing.spectrogram.Spectrogram.to_wav`.
        device: where to compute; the classifier is moved there.

    Raises:
        ArgumentError: a name is unknown, or the sound is not one finite mono clip.
    """
    choose("mask", mask, MASKS)
    classifier.to(device)
    number = None if target is None else classifier.target(target)
    explainer = build_explainer(method, classifier, background)
    if not isinstance(wav, Tensor) or wav.ndim != 3 or len(wav) != 1:
        shape = tuple(wav.shape) if isinstance(wav, Tensor) else f"a {type(wav).__name__}"
        raise ArgumentError(
            f"interpret takes one mono clip (1, 1, L), load_audio(path) say, not {shape}; score takes many"
        )
    wav = wav.float()
    spectrogram = classifier.transform(wav.to(classifier.device))
    attribution = explain(classifier, spectrogram, explainer, number)
    made = MASKS[mask](attribution.values)
    scores = score_masks(classifier, spectrogram, attribution.target, made)
    kept, removed = spectrogram.masked(made), spectrogram.masked(1 - made)
    return Interpretation(
        wav,
        kept.to_wav(inversion).cpu(),
        removed.to_wav(inversion).cpu(),
        spectrogram,
        attribution,
        made,
        mask,
        {name: float(values[0]) for name, values in scores.items()},
        classifier.labels,
    )


def score(
    classifier: Classifier,
    dataset: ClipDataset,
    methods: Sequence[str | type[Explainer] | Explainer],
    masks: Sequence[str] = tuple(MASKS),
    *,
    background: Tensor | None = None,
    device: str | torch.device | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """The scores of methods and masks over a data set: one row per clip, method and mask.

    A clip that cannot be read or explained is one row per method with ``status`` "error" and the reason; its scores are
    NaN. The columns are described at :func:`clip_rows`.
    """
    if isinstance(methods, str) or isinstance(masks, str) or not methods or not masks:
        raise ArgumentError(
            f"methods and masks are lists of at least one, ['gradcam'] say, not {methods!r} and {masks!r}"
        )
    classifier.to(device)
    check_fits(classifier, dataset)
    for mask in masks:
        choose("mask", mask, MASKS)
    explainers = [build_explainer(method, classifier, background) for method in methods]
    rows: list[dict[str, Any]] = []
    clips = tqdm(range(len(dataset)), desc="scoring", unit="clip", disable=None if progress else True)
    for index in clips:
        rows += clip_rows(classifier, dataset, index, explainers, masks)
    return pd.DataFrame(rows)


def clip_rows(
    classifier: Classifier,
    dataset: ClipDataset,
    index: int,
    explainers: Sequence[Explainer],
    masks: Sequence[str],
    keep: dict[str, Attribution] | None = None,
) -> list[dict[str, Any]]:
    """The rows of one clip.

    Columns: method, clip, target (the true label), predicted, explained, correct, mask, the scores of ``METRICS``, p, p_in,
    p_out (see ``metrics``), additivity_gap (SHAP's, the largest over the windows), status, error.

    Args:
        keep: where given, receives the attributions by method.
    """
    empty = dict.fromkeys(VALUES, float("nan"))
    head: dict[str, Any] = {
        "clip": dataset.clip_id(index),
        "target": "",
        "predicted": "",
        "explained": "",
        "correct": None,
    }

    def failed(explainer: Explainer, error: Exception) -> dict[str, Any]:
        reason = f"{type(error).__name__}: {error}"
        return {"method": explainer.name, **head, "mask": "", **empty, "status": "error", "error": reason}

    try:
        wav, true = dataset[index]
        head["target"] = dataset.labels[true]
        spectrogram = classifier.transform(wav[None].to(classifier.device))
    except Exception as error:  # whatever a clip or a data set of one's own raises: it is a row, and the run goes on
        return [failed(explainer, error) for explainer in explainers]
    rows: list[dict[str, Any]] = []
    for explainer in explainers:
        try:
            attribution = explain(classifier, spectrogram, explainer, None)
            made = torch.cat([MASKS[mask](attribution.values) for mask in masks])
            scores = score_masks(classifier, spectrogram, attribution.target, made)
        except Exception as error:
            rows.append(failed(explainer, error))
            continue
        if keep is not None:
            keep[explainer.name] = attribution
        predicted = classifier.labels[int(attribution.probs.argmax())]
        explained = classifier.labels[int(attribution.target)]
        verdict = {"predicted": predicted, "explained": explained, "correct": predicted == head["target"]}
        gap = additivity_gap(attribution)
        for number, mask in enumerate(masks):
            values = {name: float(column[number]) for name, column in scores.items()}
            values["additivity_gap"] = gap
            row = {"method": explainer.name, **head, **verdict, "mask": mask, **values, "status": "ok", "error": ""}
            rows.append(row)
    return rows
