"""The road as one call: explain a clip, hear it, score it; score a whole data set.

A clip of any length is one spectrogram. The network sees it in windows of the length it was trained on
(:class:`~audiointerp.processing.windows.Windows`); the clip's probability is the mean over the windows, weighted by the
frames that each owns, and the explained class is one for the whole clip: the most probable one, unless a target is given.
The attributions of the windows are joined, and the mask is made of the whole.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
from torch import Tensor
from tqdm import tqdm

from .dataset import ClipDataset
from .errors import ArgumentError, AudioInterpError, choose
from .interpretation import MASKS, METHODS, SHAP, Attribution, Explainer
from .metrics import METRICS, evaluate
from .model import Classifier
from .processing import Spectrogram, Windows

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

    def _repr_html_(self) -> str:
        from .report import interpretation_html

        return interpretation_html(self)


def build_explainer(
    method: str | type[Explainer] | Explainer, classifier: Classifier, background: Tensor | None = None
) -> Explainer:
    """An explainer of the classifier's network from its name, its class, or itself.

    Raises:
        ArgumentError: the name is unknown, or SHAP is asked for without a background.
    """
    if isinstance(method, Explainer):
        return method
    kind = METHODS[choose("method", method, METHODS)] if isinstance(method, str) else method
    if not issubclass(kind, SHAP):
        return kind(classifier.network)
    if background is None:
        raise ArgumentError(
            "SHAP compares a clip with a background: give background=features (B, 1, F, T) of some training clips, "
            "or --background DIR with their sound files"
        )
    return SHAP(classifier.network, background)


def explain(classifier: Classifier, spectrogram: Spectrogram, explainer: Explainer, target: int | None) -> Attribution:
    """The attribution of one clip of any length, on its whole grid; probabilities are those of the whole clip."""
    windows = _windows(classifier, spectrogram)
    cut = windows.cut(spectrogram.db)[:, 0]
    if target is None and len(cut) > 1:  # of a single window, the explainer's own forward tells the prediction
        target = int(_clip_probabilities(classifier, windows, spectrogram.db)[0].argmax())
    parts = [explainer(window[None], target) for window in cut]
    weights = windows.weights.to(parts[0].probs)
    return Attribution(
        windows.join(torch.stack([part.values for part in parts])),
        parts[0].target,
        (weights @ torch.cat([part.probs for part in parts]))[None],
        parts[0].method,
        {name: torch.cat([part.info[name] for part in parts])[None] for name in parts[0].info},
    )


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
    if wav.ndim != 3 or len(wav) != 1:
        raise ArgumentError(f"interpret takes one mono clip (1, 1, L), not {tuple(wav.shape)}; use score for many")
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


def score_masks(classifier: Classifier, spectrogram: Spectrogram, target: Tensor, masks: Tensor) -> dict[str, Tensor]:
    """Every score of M masks ``(M, 1, F, T)`` of one clip, each ``(M,)``; beside them p, p_in and p_out.

    The clean clip, the kept and the removed parts of a window go through the network as one batch, whose size depends on
    nothing else, so the same plan gives the same bytes.
    """
    kept, removed = spectrogram.masked(masks).db, spectrogram.masked(1 - masks).db
    windows = _windows(classifier, spectrogram)
    probs = _clip_probabilities(classifier, windows, torch.cat([spectrogram.db, kept, removed])).cpu()
    count = len(masks)
    clean, probs_in, probs_out = probs[:1].expand(count, -1), probs[1 : 1 + count], probs[1 + count :]
    chosen = target.cpu().expand(count)
    scores = evaluate(clean, probs_in, probs_out, chosen, masks.cpu())
    column = int(target)
    return {**scores, "p": clean[:, column], "p_in": probs_in[:, column], "p_out": probs_out[:, column]}


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
    classifier.to(device)
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
    except (AudioInterpError, RuntimeError) as error:
        return [failed(explainer, error) for explainer in explainers]
    rows: list[dict[str, Any]] = []
    for explainer in explainers:
        try:
            attribution = explain(classifier, spectrogram, explainer, None)
            made = torch.cat([MASKS[mask](attribution.values) for mask in masks])
            scores = score_masks(classifier, spectrogram, attribution.target, made)
        except (AudioInterpError, RuntimeError) as error:
            rows.append(failed(explainer, error))
            continue
        if keep is not None:
            keep[explainer.name] = attribution
        predicted = classifier.labels[int(attribution.probs.argmax())]
        explained = classifier.labels[int(attribution.target)]
        verdict = {"predicted": predicted, "explained": explained, "correct": predicted == head["target"]}
        gap = attribution.info.get("additivity_gap")
        for number, mask in enumerate(masks):
            values = {name: float(column[number]) for name, column in scores.items()}
            values["additivity_gap"] = float("nan") if gap is None else float(gap.max())
            row = {"method": explainer.name, **head, **verdict, "mask": mask, **values, "status": "ok", "error": ""}
            rows.append(row)
    return rows


def _windows(classifier: Classifier, spectrogram: Spectrogram) -> Windows:
    length = round(classifier.duration * classifier.sample_rate)
    return Windows(spectrogram.db.shape[-1], classifier.transform.num_frames(length))


def _clip_probabilities(classifier: Classifier, windows: Windows, db: Tensor) -> Tensor:
    """Probabilities ``(K, C)`` of K versions of one clip, ``(K, 1, F, T)``; a batch is one window of all versions."""
    probs = torch.stack([classifier.probabilities(window) for window in windows.cut(db)])
    return torch.einsum("w,wkc->kc", windows.weights.to(probs), probs)
