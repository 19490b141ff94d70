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
from .explain import build_explainer, build_explainers, check_fits, explain, outcomes
from .interpretation import MASKS, Attribution, Explainer
from .model import Classifier
from .processing import Spectrogram
from .protocols import protocol_of
from .rows import Plan, clip_rows, hear


@dataclass(frozen=True, eq=False)
class Interpretation:
    """One clip, explained. Shown as the last value of a notebook cell, it is a picture with players.

    Attributes:
        wav, kept, removed: ``(1, 1, L)``; under a 0/1 mask the last two add up to the first.
        spectrogram: of the whole clip; ``attribution.values`` and ``mask`` are on its grid, ``(1, 1, F, T)``.
        attribution: of the explained class, ``attribution.target``; ``attribution.probs`` are those of the whole clip.
        mask: what was kept of each bin, in [0, 1].
        mask_name: its name in ``MASKS``.
        scores: by their names in ``METRICS``, with p, p_in, p_out and their log-odds; NaN where undefined.
        labels: the names of the classes.
        protocol: whose definitions the mask and the scores follow.
        on: what was scored, ``"features"`` or ``"audio"``.
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
    protocol: str = "sound"
    on: str = "features"

    @property
    def sample_rate(self) -> int:
        """Of the three sounds, in Hz."""
        return self.spectrogram.transform.sample_rate

    @property
    def explained(self) -> str:
        """The label that is explained."""
        return self.labels[int(self.attribution.target)]

    @property
    def against(self) -> str | None:
        """The label that it is explained against; None if against none."""
        return None if self.attribution.against is None else self.labels[int(self.attribution.against)]

    @property
    def question(self) -> str:
        """What is answered: "dog", or "dog rather than rooster"."""
        return self.explained if self.against is None else f"{self.explained} rather than {self.against}"

    @property
    def arbitrary(self) -> bool:
        """Whether the attribution is the same everywhere, as for digital silence: the mask then means nothing."""
        return bool((self.attribution.values == self.attribution.values.flatten()[0]).all())

    @property
    def predicted(self) -> str:
        """The label that the classifier gives the clip."""
        return self.labels[int(self.attribution.probs.argmax())]

    def __repr__(self) -> str:
        kept, removed = self.scores["p_in"], self.scores["p_out"]
        return (
            f"Interpretation({self.question}, p = {self.scores['p']:.3f}, kept {kept:.3f}, removed {removed:.3f}; "
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
    against: str | int | None = None,
    background: Tensor | None = None,
    inversion: str = "gain",
    protocol: str = "sound",
    on: str = "features",
    device: str | torch.device | None = None,
) -> Interpretation:
    """Explain one clip and make the explanation audible.

    Args:
        classifier: what decided.
        wav: ``(1, 1, L)`` at the classifier's sample rate, normalised as in training; ``load_audio`` gives both.
        method: a name in ``METHODS``, an explainer's class, or an explainer.
        mask: a name in ``MASKS``.
        target: the label to explain, by name or number; the predicted one if None.
        against: another label, to explain why it is the target rather than this one; p is then the probability of the
            target given that it is one of the two.
        background: for SHAP, features ``(B, 1, F, T)`` of windows of the classifier's length.
        inversion: see :meth:`~audiointerp.processing.spectrogram.Spectrogram.to_wav`.
        protocol: a name in ``PROTOCOLS``: the definitions of the mask and the scores.
        on: what is scored, ``"features"`` or ``"audio"``; see :func:`~audiointerp.explain.outcomes`.
        device: where to compute; the classifier is moved there.

    Raises:
        ArgumentError: a name is unknown, or the sound is not one finite mono clip.
    """
    choose("mask", mask, MASKS)
    definitions = protocol_of(protocol)
    classifier.to(device)
    number, other = (None if label is None else classifier.target(label) for label in (target, against))
    explainer = build_explainer(method, classifier, background)
    if not isinstance(wav, Tensor) or wav.ndim != 3 or len(wav) != 1:
        shape = tuple(wav.shape) if isinstance(wav, Tensor) else f"a {type(wav).__name__}"
        raise ArgumentError(
            f"interpret takes one mono clip (1, 1, L), load_audio(path) say, not {shape}; score takes many"
        )
    if not wav.is_floating_point():
        raise ArgumentError(f"a sound has float samples in [-1, 1], as load_audio gives them, not {wav.dtype}")
    wav = wav.float()
    spectrogram = classifier.transform(wav.to(classifier.device))
    attribution = explain(classifier, spectrogram, explainer, number, other)
    made = definitions.masks[mask](attribution.values)
    heard = outcomes(classifier, spectrogram, attribution.target, made, against=attribution.against, on=on)
    scores = heard.scores(made, definitions.metrics)
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
        protocol,
        on,
    )


def score(
    classifier: Classifier,
    dataset: ClipDataset,
    methods: Sequence[str | type[Explainer] | Explainer],
    masks: Sequence[str] = tuple(MASKS),
    *,
    on: str | Sequence[str] = "features",
    protocol: str = "sound",
    baselines: bool = True,
    curves: bool = False,
    background: Tensor | None = None,
    device: str | torch.device | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """The scores of methods and masks over a data set: one row per clip, method, mask and ``on``.

    A clip that cannot be read or explained is one row per method with ``status`` "error" and the reason; its scores are
    NaN. The columns are described at :func:`~audiointerp.rows.clip_rows`.

    Args:
        classifier: what decides.
        dataset: its clips; each one's predicted class is explained.
        methods: names in ``METHODS``, explainers' classes, or explainers; their names must differ.
        masks: names in ``MASKS``.
        on: ``"features"``, ``"audio"`` (what a listener hears is then what the classifier heard), or both as a list.
        protocol: a name in ``PROTOCOLS``.
        baselines: whether to score random masks of the same values beside each mask, pixelwise and smooth.
        curves: whether to compute the areas under deletion and insertion too.
        background: for the methods that need one, features ``(B, 1, F, T)`` of training clips.
        device: where to compute; the classifier is moved there.
        progress: a bar, where a terminal watches.
    """
    plan = Plan(masks, protocol, (on,) if isinstance(on, str) else on, baselines, curves)
    classifier.to(device)
    check_fits(classifier, dataset)
    explainers = build_explainers(methods, classifier, background)
    rows: list[dict[str, Any]] = []
    clips = tqdm(range(len(dataset)), desc="scoring", unit="clip", disable=None if progress else True)
    for index in clips:
        for made in clip_rows(classifier, hear(dataset, index), explainers, plan):
            rows += made.rows
    return pd.DataFrame(rows)
