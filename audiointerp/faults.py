"""The four faults of the published code, each measured on a classifier and clips of one's own."""

import copy
import json
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from .dataset import ClipDataset
from .errors import AudioInterpError
from .explain import additivity_gap, explain
from .interpretation import SHAP
from .model import Classifier
from .predict import score
from .rows import hear

FAULTY_MASK = "topK_50_pos"


@dataclass(frozen=True)
class Fault:
    """A fault of the published code, and a figure with it and without it."""

    name: str
    figure: str
    before: str
    after: str


def faults(
    classifier: Classifier, dataset: ClipDataset, background: Tensor, accuracies: tuple[float, float]
) -> list[Fault]:
    """The four faults, each measured on this classifier and these clips; ``accuracies`` of :func:`kept_accuracies`.

    Raises:
        AudioInterpError: no clip can be read.
    """
    last, best = accuracies
    published, sound = (
        score(classifier, dataset, ["saliency"], [FAULTY_MASK], protocol=name, baselines=False)
        for name in ("published", "sound")
    )
    published, sound = (rows[rows["status"] == "ok"] for rows in (published, sound))
    constant = [float((rows["AREA"] == 1).mean()) for rows in (published, sound)]
    # The published masks are of zeros and ones, so that their true complexity is ln(AREA F T): the masks' fault stays out.
    grid = math.log(classifier.transform.num_bins * _frames(classifier))
    complexities = [published["COMP"].mean(), (np.log(published["AREA"]) + grid).mean()]
    gaps, likeness = _shap_gaps(classifier, dataset, background)
    return [
        Fault(
            "SHAP through functional ReLU and max, which its hooks do not see",
            f"median additivity gap; the two attributions correlate with r = {likeness:.2f} (median)",
            _share(gaps[0]),
            _share(gaps[1]),
        ),
        Fault(
            "top-k by quantile with ≥, which keeps all ties",
            f"saliency `{FAULTY_MASK}` masks that keep everything; mean AD",
            f"{constant[0]:.1%}; {published['AD'].mean():.1f} %",
            f"{constant[1]:.1%}; {sound['AD'].mean():.1f} %",
        ),
        Fault(
            "“best epoch” kept as a reference to the live weights: it is the last epoch",
            "validation accuracy of the weights that are kept, mean of the seeds",
            f"{last:.4f}",
            f"{best:.4f}",
        ),
        Fault(
            "COMP of a constant mask written as 0, its best value",
            f"mean COMP of the same masks (saliency `{FAULTY_MASK}` with all ties kept), nats",
            f"{complexities[0]:.2f}",
            f"{complexities[1]:.2f}",
        ),
    ]


def _frames(classifier: Classifier) -> int:
    return classifier.transform.num_frames(round(classifier.duration * classifier.sample_rate))


def _share(gap: float) -> str:
    return "undefined" if np.isnan(gap) else f"{gap:.2g} of f(x) − E f(b)"


class _Hidden(nn.Module):
    """What a function is to an explainer by module hooks: not there."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function
        self.kernel_size = self.stride = 1  # the time pooling of our networks sets them

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def functional_twin(network: nn.Module) -> nn.Module:
    """The same network, written with functions in place of ReLU and max-pooling modules, as the published one is."""
    twin = copy.deepcopy(network)
    for module in list(twin.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.ReLU):
                setattr(module, name, _Hidden(torch.relu))
            elif isinstance(child, nn.MaxPool1d):
                setattr(module, name, _Hidden(lambda x: x.amax(-1, keepdim=True)))
    return twin


def _shap_gaps(classifier: Classifier, dataset: ClipDataset, background: Tensor) -> tuple[list[float], float]:
    """The median additivity gaps of the functional twin and of the network; how alike the attributions are.

    Over every fourth of the clips that can be read.
    """
    twin = Classifier(functional_twin(classifier.network), classifier.transform, classifier.labels, classifier.duration)
    both = [(one, SHAP(one.network, background, strict=one is classifier)) for one in (twin, classifier)]
    gaps: list[list[float]] = [[], []]
    likeness = []
    wavs = (hear(dataset, index).wav for index in range(len(dataset)))
    for wav in islice((wav for wav in wavs if wav is not None), 0, None, 4):
        spectrogram = classifier.transform(wav[None].to(classifier.device))
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="SHAP misses")
            made = [explain(one, spectrogram, explainer) for one, explainer in both]
        for gap, attribution in zip(gaps, made, strict=True):
            gap.append(additivity_gap(attribution))
        pair = torch.stack([attribution.values.flatten() for attribution in made])
        likeness.append(float(torch.corrcoef(pair)[0, 1]))
    if not likeness:
        raise AudioInterpError("no test clip can be read; see the column error of metrics.csv")
    defined = [[gap for gap in some if not np.isnan(gap)] for some in gaps]
    return [float(np.median(some)) if some else float("nan") for some in defined], float(np.median(likeness))


def kept_accuracies(card: Path) -> tuple[float, float]:
    """Mean validation accuracy over the seeds of a card: at the last epoch, and at the best.

    Raises:
        AudioInterpError: the card cannot be read.
    """
    try:
        seeds = json.loads(card.read_text(encoding="utf-8"))["epochs"].values()
        curves = [[float(epoch["valid_accuracy"]) for epoch in epochs] for epochs in seeds]
        if not curves or not all(math.isfinite(value) for curve in curves for value in curve):
            raise ValueError("its epochs hold no validation accuracy, or one that is no number")
        return float(np.mean([curve[-1] for curve in curves])), float(np.mean([max(curve) for curve in curves]))
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise AudioInterpError(
            f"{card}: the card beside the weights is needed, and cannot be read ({error})"
        ) from error
