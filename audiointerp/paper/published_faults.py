"""The five faults of the published code, each measured on a given classifier and clips."""

import copy
import json
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from ..dataset import ClipDataset, load_clip
from ..errors import AudioInterpError
from ..interpretation import SHAP, additivity_gap
from ..model import Classifier
from ..predict import score
from ..scoring import explain_clip
from .soft_mask_sounds import HEARD_METHODS, median_sound_gaps

FAULTY_MASK = "topK_50_pos"
EPOCH_FIGURES = {
    "test": "test accuracy of the kept weights, mean over {seeds} seeds; the best epoch is chosen "
    "by validation clips",
    "validation": "validation accuracy of the kept weights, mean over {seeds} seeds; in-sample: "
    "the best epoch is chosen by this accuracy, so “without” is too high (the card has no test "
    "accuracy of the last epoch)",
}


@dataclass(frozen=True)
class KeptAccuracies:
    """Accuracies of two choices of the weights to keep, each the mean over the seeds of a card.

    Attributes:
        last: of the network of the last epoch.
        best: of the network of the best epoch by validation accuracy.
        clips: whose accuracies they are, ``"test"`` or ``"validation"``.
        seeds: the number of seeds.

    >>> KeptAccuracies(0.89, 0.9, "test", 3).best
    0.9
    """

    last: float
    best: float
    clips: str
    seeds: int


@dataclass(frozen=True)
class Fault:
    """A fault of the published code, measured with the fault and without it.

    Attributes:
        name: what is wrong.
        figure: what was measured.
        before, after: the figure with the fault and without it, as text.

    >>> Fault("top-k keeps ties", "masks that keep everything", "41.2%", "0.0%").after
    '0.0%'
    """

    name: str
    figure: str
    before: str
    after: str


def faults(
    classifier: Classifier,
    dataset: ClipDataset,
    background: Tensor,
    accuracies: KeptAccuracies,
) -> list[Fault]:
    """Measure the five faults on a classifier and its clips.

    Args:
        classifier: a classifier of spectrograms.
        dataset: the test clips.
        background: for SHAP, see :func:`~audiointerp.experiments.data.background_of`.
        accuracies: of :func:`kept_accuracies`.

    Raises:
        AudioInterpError: no clip can be read.

    Example (minutes for 80 clips)::

        classifier = Classifier.load("weights/esc10_mel_cnn10.safetensors")
        card = Path("weights/esc10_mel_cnn10.json")
        faults(classifier, test, background, kept_accuracies(card))
    """
    published, corrected = (
        _saliency_rows(classifier, dataset, protocol) for protocol in ("published", "corrected")
    )
    return [
        _shap_fault(classifier, dataset, background),
        _ties_fault(published, corrected),
        _epoch_fault(accuracies),
        _complexity_fault(classifier, published),
        _sounds_fault(classifier, dataset),
    ]


def _saliency_rows(classifier: Classifier, dataset: ClipDataset, protocol: str) -> pd.DataFrame:
    # Also the corrected definitions are compared as it was published: silence, on features.
    way = partial(score, on="features", fill="silence", protocol=protocol, nulls=[])
    return way(classifier, dataset, ["saliency"], [FAULTY_MASK]).query("status == 'ok'")


def _shap_fault(classifier: Classifier, dataset: ClipDataset, background: Tensor) -> Fault:
    twin_gap, gap, correlation = _shap_gaps(classifier, dataset, background)
    return Fault(
        "SHAP's module hooks miss functional ReLU and max pooling",
        f"median additivity gap; median correlation of the two attributions r = {correlation:.2f}",
        _gap_text(twin_gap),
        _gap_text(gap),
    )


def _ties_fault(published: pd.DataFrame, corrected: pd.DataFrame) -> Fault:
    def figures(rows: pd.DataFrame) -> str:
        return f"{float((rows['AREA'] == 1).mean()):.1%}; {rows['AD'].mean():.1f} %"

    return Fault(
        "top-k by quantile with ≥ keeps all ties",
        f"share of saliency `{FAULTY_MASK}` masks that keep everything; mean AD",
        figures(published),
        figures(corrected),
    )


def _epoch_fault(accuracies: KeptAccuracies) -> Fault:
    return Fault(
        "the “best epoch” is kept as a reference to the live weights, so it is the last epoch",
        EPOCH_FIGURES[accuracies.clips].format(seeds=accuracies.seeds),
        f"{accuracies.last:.4f}",
        f"{accuracies.best:.4f}",
    )


def _complexity_fault(classifier: Classifier, published: pd.DataFrame) -> Fault:
    samples = round(classifier.duration * classifier.sample_rate)
    bins = classifier.transform.num_bins * classifier.transform.num_frames(samples)
    # The masks are of zeros and ones, so their true complexity is ln(AREA * bins). Computed on the
    # published masks, so that the fault of the masks does not count here.
    true_complexity = (np.log(published["AREA"]) + math.log(bins)).mean()
    return Fault(
        "COMP of a constant mask is written as 0, its best value",
        f"mean COMP of the same masks (saliency `{FAULTY_MASK}`, all ties kept), nats",
        f"{published['COMP'].mean():.2f}",
        f"{true_complexity:.2f}",
    )


def _sounds_fault(classifier: Classifier, dataset: ClipDataset) -> Fault:
    spectrograms = (
        classifier.transform(wav[None].to(classifier.device)) for wav in _readable_wavs(dataset)
    )
    gaps = median_sound_gaps(classifier, spectrograms)
    return Fault(
        "the sounds of soft masks are power × mask, their scores are of levels in dB",
        f"median difference of p of the sound and the scored p_in, over the clips and the soft "
        f"masks of {' and '.join(HEARD_METHODS)}; the sound is {gaps.louder:.0f} dB louder than "
        f"that of the scored levels, and their SI-SDR is {gaps.si_sdr:.0f} dB (medians)",
        f"{gaps.published:.2f}",
        f"{gaps.scored:.3f}",
    )


def _readable_wavs(dataset: ClipDataset) -> Iterator[Tensor]:
    wavs = (load_clip(dataset, index).wav for index in range(len(dataset)))
    return (wav for wav in wavs if wav is not None)


def _gap_text(gap: float) -> str:
    return "undefined" if np.isnan(gap) else f"{gap:.2g} of f(x) − E f(b)"


class _Functional(nn.Module):
    """Hides a function from an explainer: module hooks do not know this class."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function
        # The time pooling of our networks sets these.
        self.kernel_size = self.stride = 1

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def functional_twin(network: nn.Module) -> nn.Module:
    """Copy a network with functions in place of its ReLU and max-pooling modules.

    The published network is written in that way.

    >>> from ..model import Cnn6
    >>> twin = functional_twin(Cnn6(2, base_channels=1))
    >>> any(isinstance(module, nn.ReLU) for module in twin.modules())
    False
    """
    twin = copy.deepcopy(network)
    for module in list(twin.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.ReLU):
                setattr(module, name, _Functional(torch.relu))
            elif isinstance(child, nn.MaxPool1d):
                setattr(module, name, _Functional(lambda x: x.amax(-1, keepdim=True)))
    return twin


def _shap_gaps(
    classifier: Classifier, dataset: ClipDataset, background: Tensor
) -> tuple[float, float, float]:
    """Compare SHAP on the functional twin and on the network, for every fourth readable clip.

    Returns:
        The median additivity gap of the twin, that of the network, and the median correlation of
        the two attributions.
    """
    twin = Classifier(
        functional_twin(classifier.network),
        classifier.transform,
        classifier.labels,
        classifier.duration,
    )
    twin_explainer = SHAP(twin.network, background, strict=False)
    explainer = SHAP(classifier.network, background)
    twin_gaps, gaps, correlations = [], [], []
    for wav in islice(_readable_wavs(dataset), 0, None, 4):
        spectrogram = classifier.transform(wav[None].to(classifier.device))
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="SHAP misses")
            twin_attribution = explain_clip(twin, spectrogram, twin_explainer)
            attribution = explain_clip(classifier, spectrogram, explainer)
        twin_gaps.append(additivity_gap(twin_attribution))
        gaps.append(additivity_gap(attribution))
        pair = torch.stack([twin_attribution.values.flatten(), attribution.values.flatten()])
        correlations.append(float(torch.corrcoef(pair)[0, 1]))
    if not correlations:
        raise AudioInterpError("no test clip can be read; see the column error of metrics.csv")
    return _median(twin_gaps), _median(gaps), float(np.median(correlations))


def _median(gaps: Sequence[float]) -> float:
    """Return the median of the defined gaps; NaN if none is."""
    defined = [gap for gap in gaps if not np.isnan(gap)]
    return float(np.median(defined)) if defined else float("nan")


def kept_accuracies(card: Path) -> KeptAccuracies:
    """Read the accuracies at the last epoch and at the best.

    They are of test clips, or of validation clips where a card of version 0.1.0 has no test
    accuracy of the last epoch.

    Args:
        card: the JSON file that :func:`~audiointerp.display.card.write_card` writes.

    Raises:
        AudioInterpError: the card cannot be read.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     card = Path(folder) / "card.json"
    ...     _ = card.write_text('{"outcomes": [{"last_test_accuracy": 0.5, "test_accuracy": 0.9}]}')
    ...     kept_accuracies(card)
    KeptAccuracies(last=0.5, best=0.9, clips='test', seeds=1)
    """
    try:
        record = json.loads(card.read_text(encoding="utf-8"))
        outcomes = record["outcomes"]
        if all("last_test_accuracy" in outcome for outcome in outcomes):
            clips, pairs = "test", [_test_accuracies(outcome) for outcome in outcomes]
        else:
            clips = "validation"
            pairs = [_validation_accuracies(epochs) for epochs in record["epochs"].values()]
        if not pairs or not np.isfinite(pairs).all():
            raise ValueError("it holds no accuracy, or one that is not a number")
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise AudioInterpError(
            f"{card}: the card beside the weights is needed and cannot be read ({error})"
        ) from error
    last, best = np.mean(pairs, axis=0)
    return KeptAccuracies(float(last), float(best), clips, len(pairs))


def _test_accuracies(outcome: dict[str, float]) -> tuple[float, float]:
    return float(outcome["last_test_accuracy"]), float(outcome["test_accuracy"])


def _validation_accuracies(epochs: Sequence[dict[str, float]]) -> tuple[float, float]:
    curve = [float(epoch["valid_accuracy"]) for epoch in epochs]
    return curve[-1], max(curve)
