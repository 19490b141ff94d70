"""One clip of any length before a network that takes windows: attribution, probabilities, scores.

A clip is one spectrogram. The network sees it in windows of the length it was trained on
(:class:`~audiointerp.processing.windows.Windows`); the clip's probability is the mean over the windows, weighted by the
frames that each owns, and the explained class is one for the whole clip: the most probable one, unless a target is given.
The attributions of the windows are joined, and the mask is made of the whole.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from .dataset import ClipDataset
from .errors import ArgumentError, choose
from .interpretation import METHODS, SHAP, Attribution, Explainer
from .metrics import evaluate
from .model import Classifier
from .processing import Spectrogram, Windows


def build_explainer(
    method: str | type[Explainer] | Explainer, classifier: Classifier, background: Tensor | None = None
) -> Explainer:
    """An explainer of the classifier's network from its name, its class, or itself.

    Raises:
        ArgumentError: the name is unknown, or SHAP is asked for without a background.
    """
    if isinstance(method, Explainer):
        if method.network is not classifier.network:
            raise ArgumentError(f"this {method.name} explains another network than the classifier's")
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


def check_fits(classifier: Classifier, dataset: ClipDataset) -> None:
    """Refuse a data set that the classifier was not made for.

    Raises:
        ArgumentError: the sample rate or the labels are not the classifier's.
    """
    if dataset.sample_rate != classifier.sample_rate:
        raise ArgumentError(
            f"the data set has {dataset.sample_rate} Hz, the classifier takes {classifier.sample_rate} Hz"
        )
    if tuple(dataset.labels) != classifier.labels:
        raise ArgumentError(
            f"the data set's labels ({', '.join(dataset.labels)}) are not the classifier's "
            f"({', '.join(classifier.labels)}): give --subset esc10 for the ESC-10 weights, labels=classifier.labels to "
            f"LabelledClips"
        )


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
        {name: torch.cat([part.info[name] for part in parts])[None] for name in _tensors(parts[0].info)},
    )


def score_masks(classifier: Classifier, spectrogram: Spectrogram, target: Tensor, masks: Tensor) -> dict[str, Tensor]:
    """Every score of M masks ``(M, 1, F, T)`` of one clip, each ``(M,)``; beside them p, p_in and p_out.

    The clean clip, the kept and the removed parts of a window go through the network as one batch, whose size depends on
    nothing else, so the same plan gives the same bytes. Equal masks (the largest 5 % are mostly positive anyway) go once.
    """
    different, place = masks.unique(dim=0, return_inverse=True)
    kept, removed = spectrogram.masked(different).db, spectrogram.masked(1 - different).db
    windows = _windows(classifier, spectrogram)
    probs = _clip_probabilities(classifier, windows, torch.cat([spectrogram.db, kept, removed])).cpu()
    place = place.cpu()
    clean, probs_in, probs_out = probs[:1].expand(len(masks), -1), probs[1:][place], probs[1 + len(different) :][place]
    chosen = target.cpu().expand(len(masks))
    scores = evaluate(clean, probs_in, probs_out, chosen, masks.cpu())
    column = int(target)
    return {**scores, "p": clean[:, column], "p_in": probs_in[:, column], "p_out": probs_out[:, column]}


def additivity_gap(attribution: Attribution) -> float:
    """SHAP's additivity gap, the largest over the windows where it is defined; NaN where it is nowhere."""
    gap = attribution.info.get("additivity_gap", torch.empty(0))
    defined = gap[gap.isfinite()]
    return float(defined.max()) if len(defined) else float("nan")


def _tensors(info: Mapping[str, Any]) -> list[str]:
    return [name for name, value in info.items() if isinstance(value, Tensor)]


def _windows(classifier: Classifier, spectrogram: Spectrogram) -> Windows:
    length = round(classifier.duration * classifier.sample_rate)
    return Windows(spectrogram.db.shape[-1], classifier.transform.num_frames(length))


def _clip_probabilities(classifier: Classifier, windows: Windows, db: Tensor) -> Tensor:
    """Probabilities ``(K, C)`` of K versions of one clip, ``(K, 1, F, T)``; a batch is one window of all versions."""
    probs = torch.stack([classifier.probabilities(window) for window in windows.cut(db)])
    return torch.einsum("w,wkc->kc", windows.weights.to(probs), probs)
