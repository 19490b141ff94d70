"""One clip of any length before a network that takes windows: attribution, probabilities, scores.

A clip is one spectrogram. The network sees it in windows of the length it was trained on
(:class:`~audiointerp.processing.windows.Windows`); the clip's probability is the mean over the windows, weighted by the
frames that each owns, and the explained class is one for the whole clip: the most probable one, unless a target is given.
The attributions of the windows are joined, and the mask is made of the whole.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .conventions import log_of_the_others, log_probabilities
from .dataset import ClipDataset
from .errors import ArgumentError, choose
from .interpretation import METHODS, Attribution, Captum, Explainer
from .memory import halving
from .metrics import METRICS, Metric, evaluate
from .model import Classifier
from .processing import Spectrogram, Windows

ON = ("features", "audio")
"""What is scored: the masked features, or the sound made of them, heard again by the network."""
BATCH = 16
"""Versions of a clip in one forward."""


def build_explainer(
    method: str | type[Explainer] | Explainer, classifier: Classifier, background: Tensor | None = None
) -> Explainer:
    """An explainer of the classifier's network from its name, its class, or itself.

    Raises:
        ArgumentError: the name is unknown, or a method is asked for without the background that it needs.
    """
    if isinstance(method, Explainer):
        if method.network is not classifier.network:
            raise ArgumentError(f"this {method.name} explains another network than the classifier's")
        if type(method) is Captum and method.name in METHODS:
            raise ArgumentError(f"another method is called {method.name}: give Captum a name of its own")
        return method
    kind = METHODS[choose("method", method, METHODS)] if isinstance(method, str) else method
    if not kind.needs_background:
        try:
            return kind(classifier.network)
        except TypeError as error:
            raise ArgumentError(
                f"{kind.__name__} takes more than a network: give {kind.__name__}(network, …)"
            ) from error
    if background is None:
        raise ArgumentError(
            f"{kind.__name__} compares a clip with a background: give background=features (B, 1, F, T) of some training "
            f"clips (in a shell, --background and the folder of their sound files)"
        )
    with_background: Any = kind
    return with_background(classifier.network, background)  # type: ignore[no-any-return]


def build_explainers(
    methods: Sequence[str | type[Explainer] | Explainer], classifier: Classifier, background: Tensor | None = None
) -> list[Explainer]:
    """An explainer for each of ``methods``; results are kept by their names, so these must differ.

    Raises:
        ArgumentError: there is none, two have one name, or :func:`build_explainer` refuses one.
    """
    if isinstance(methods, str) or not methods:
        raise ArgumentError(f"methods are a list of at least one, ['gradcam'] say, not {methods!r}")
    explainers = [build_explainer(method, classifier, background) for method in methods]
    names = [explainer.name for explainer in explainers]
    if len(set(names)) < len(names):
        raise ArgumentError(f"two of the methods have one name ({', '.join(names)}); Captum(…, name=…) gives another")
    return explainers


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
        more = set(classifier.labels) < set(dataset.labels)
        raise ArgumentError(
            f"the data set's labels ({', '.join(dataset.labels)}) are not the classifier's "
            f"({', '.join(classifier.labels)}): "
            + (
                "for the ESC-10 weights give subset='esc10' (--subset esc10)"
                if more
                else "give data that it was made for"
            )
            + "; to LabelledClips give labels=classifier.labels"
        )


def explain(
    classifier: Classifier,
    spectrogram: Spectrogram,
    explainer: Explainer,
    target: int | None = None,
    against: int | None = None,
) -> Attribution:
    """The attribution of one clip of any length, on its whole grid; probabilities are those of the whole clip."""
    windows = _windows(classifier, spectrogram)
    cut = windows.cut(spectrogram.db)[:, 0]
    # Of a single window, the explainer's own forward tells the prediction.
    if target is None and (len(cut) > 1 or against is not None):
        target = int(_clip_log_probabilities(classifier, windows, spectrogram.db)[0].argmax())
        if target == against:
            raise ArgumentError(
                f"{classifier.labels[target]} is what the network predicts, and cannot be explained against itself: give a "
                f"target, or another label against it"
            )
    parts = [explainer(window[None], target, against=against, output=classifier.output) for window in cut]
    weights = windows.weights.to(parts[0].probs)
    return Attribution(
        windows.join(torch.stack([part.values for part in parts])),
        parts[0].target,
        (weights @ torch.cat([part.probs for part in parts]))[None],
        parts[0].method,
        {name: torch.cat([part.info[name] for part in parts])[None] for name in _tensors(parts[0].info)},
        parts[0].against,
    )


@dataclass(frozen=True, eq=False)
class Outcomes:
    """What the network makes of one clip under M masks.

    Attributes:
        probs: ``(3, M, C')``: of the clean clip, the kept and the removed parts, over the classes that are decided together.
        log_odds: ``(3, M)``, of the explained class.
        target: the explained class's place among the C'.
        batch: versions of the clip in one forward: :data:`BATCH`, or less where memory was short.
    """

    probs: Tensor
    log_odds: Tensor
    target: int
    batch: int

    def scores(self, masks: Tensor, metrics: Mapping[str, Metric] = METRICS, start: int = 0) -> dict[str, Tensor]:
        """The scores of ``masks``, which are those from number ``start`` on; beside them p and log-odds, each ``(M,)``."""
        here = slice(start, start + len(masks))
        clean, kept, removed = self.probs[:, here]
        scores = evaluate(clean, kept, removed, torch.full((len(masks),), self.target), masks.cpu(), metrics)
        for suffix, probs, log_odds in zip(
            ("", "_in", "_out"), (clean, kept, removed), self.log_odds[:, here], strict=True
        ):
            scores[f"p{suffix}"] = probs[:, self.target]
            scores[f"log_odds{suffix}"] = log_odds
        return scores


def outcomes(
    classifier: Classifier,
    spectrogram: Spectrogram,
    target: Tensor,
    masks: Tensor,
    *,
    against: Tensor | None = None,
    on: str = "features",
) -> Outcomes:
    """What the network makes of a clip under masks, to be scored by :meth:`Outcomes.scores`.

    Equal parts go through the network once: a mask of ones is the clean clip, exactly. The batches depend on the masks and
    on nothing else, so the same plan gives the same bytes; where memory is short they are halved, which moves a
    probability by at most 1e-5.

    Args:
        classifier: what decides.
        spectrogram: of one clip.
        target: the explained class, ``(1,)``.
        masks: ``(M, 1, F, T)`` in [0, 1].
        against: the class that it is explained against, ``(1,)``. p is then the probability of the target given that it is
            one of the two.
        on: ``"features"``: the masked features are classified. ``"audio"``: what is heard is analysed and classified, the
            clean clip too, without a change of level.
    """
    choose("on", on, ON)
    parts = torch.cat([torch.ones_like(masks[:1]), masks, 1 - masks])
    different, place = parts.unique(dim=0, return_inverse=True)
    windows = _windows(classifier, spectrogram)

    def heard_in(batch: int) -> list[tuple[Tensor, Tensor]]:
        return [
            _clip_log_probabilities(classifier, windows, _heard(spectrogram.masked(some), on).db)
            for some in different.split(batch)
        ]

    logs, batch = halving(heard_in, BATCH)
    log_p, log_not_p = (torch.cat(columns)[place.cpu()] for columns in zip(*logs, strict=True))
    probs, log_odds, column = _decision(log_p, log_not_p, int(target), against, classifier.output)

    def by_part(values: Tensor) -> Tensor:
        kept, removed = values[1:].chunk(2)
        return torch.stack([values[:1].expand_as(kept), kept, removed])

    return Outcomes(by_part(probs), by_part(log_odds), column, batch)


def additivity_gap(attribution: Attribution) -> float:
    """SHAP's additivity gap, the largest over the windows where it is defined; NaN where it is nowhere."""
    defined = _defined(attribution, "additivity_gap")
    return float(defined.max()) if len(defined) else float("nan")


def surrogate_fit(attribution: Attribution) -> float:
    """LIME's coefficient of determination, the smallest over the windows where it is defined; NaN where it is nowhere."""
    defined = _defined(attribution, "surrogate_r2")
    return float(defined.min()) if len(defined) else float("nan")


def explainer_batch(attribution: Attribution) -> float:
    """How much the method put through the network at once, at the least; NaN where it has no choice."""
    used = _defined(attribution, "batch")
    return float(used.min()) if len(used) else float("nan")


def _defined(attribution: Attribution, name: str) -> Tensor:
    found: Tensor = attribution.info.get(name, torch.empty(0))
    return found[found.isfinite()]


def _heard(spectrogram: Spectrogram, on: str) -> Spectrogram:
    return spectrogram if on == "features" else spectrogram.transform(spectrogram.to_wav())


def _decision(
    log_p: Tensor, log_not_p: Tensor, target: int, against: Tensor | None, output: str
) -> tuple[Tensor, Tensor, int]:
    """The probabilities ``(K, C')`` that a decision is made from, the log-odds ``(K,)`` and the column of the target.

    Classes that compete are decided together. A label by itself, or one class against another, is a choice of two; the
    log-odds of the latter are the difference of the logits.
    """
    logits = log_p if output == "softmax" else log_p - log_not_p  # of competing classes up to a constant
    if against is not None:
        log_odds = logits[:, target] - logits[:, int(against)]
    elif output == "sigmoid":
        log_odds = logits[:, target]
    else:
        return log_p.exp(), log_p[:, target] - log_not_p[:, target], target
    return torch.stack([log_odds.sigmoid(), (-log_odds).sigmoid()], 1), log_odds, 0


def _tensors(info: Mapping[str, Any]) -> list[str]:
    return [name for name, value in info.items() if isinstance(value, Tensor)]


def _windows(classifier: Classifier, spectrogram: Spectrogram) -> Windows:
    length = round(classifier.duration * classifier.sample_rate)
    return Windows(spectrogram.db.shape[-1], classifier.transform.num_frames(length))


def _clip_log_probabilities(classifier: Classifier, windows: Windows, db: Tensor) -> tuple[Tensor, Tensor]:
    """Log p and log(1 - p), each ``(K, C)`` float64, of K versions of one clip ``(K, 1, F, T)``; a batch is one window."""
    logs = [log_probabilities(classifier.logits(window).cpu(), classifier.output) for window in windows.cut(db)]
    share = windows.weights.log()[:, None, None]
    log_p, log_not_p = ((share + torch.stack(parts)).logsumexp(0) for parts in zip(*logs, strict=True))
    return log_p, log_of_the_others(log_p) if classifier.output == "softmax" else log_not_p
