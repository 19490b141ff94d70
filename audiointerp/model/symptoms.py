"""Signs that a classifier does not get what it was trained on, and what to do about each."""

import copy
import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from ..errors import AudioInterpError
from ..processing import NORMALIZATIONS, normalized
from ..util import run_network, suspected_probabilities
from .batch_symptoms import symptoms_of_batches
from .clip_probabilities import whole_clip_probabilities, window_inputs
from .decider import Decider

MOST_CLIPS = 50
"""Clips that are tried with other settings."""
CLEAR_GAIN = 0.1
"""Another setting is named if the accuracy with it is higher by this."""
LONGEST = 60.0
"""Seconds; longer windows are not tried."""
LARGEST_SHIFT = 10.0
"""dB; features whose mean level is further from that of the training, beyond the chance of which
clips are looked at, look wrong."""
LOUDEST = 1.5
"""Samples are nominally in [-1, 1]."""
LOWER_RATES = (8000, 11025, 16000, 22050, 24000)
"""The rates in Hz at which clips may have been recorded before they were resampled."""
FEWEST_SOUNDS = 4
"""Fewer clips can all be low sounds."""
CLIFF = 25.0
"""dB by which the spectrum falls at half of a lower rate if all clips were recorded at it. In sets
of 4 clips of ESC-10 it falls by 18 dB at most, and by 32 dB at least if they come from that rate.
"""
FRAME = 1024
LONG = 1.1
"""Clips that last this many windows are said to be classified in windows."""
ORDERED = 0.8
"""The accuracy with the labels in another order that makes their order suspect."""


def symptoms(
    classifier: Decider,
    wavs: Sequence[Tensor],
    targets: Sequence[int | None],
    p: Tensor,
    sample_rate: int | None = None,
) -> list[str]:
    """Return what looks wrong, one sentence each.

    Args:
        classifier: the classifier.
        wavs: N clips ``(1, 1, L)``.
        targets: their class numbers, None where unknown.
        p: their probabilities ``(N, C)``.
        sample_rate: of the data set, if it says so.

    >>> from audiointerp import Classifier, Cnn6, LogMel
    >>> classifier = Classifier(Cnn6(2, base_channels=4), LogMel(), ["a", "b"], duration=1.0)
    >>> wavs = [torch.full((1, 1, 32000), 2.0)]
    >>> symptoms(classifier, wavs, [None], torch.tensor([[0.5, 0.5]]))[0]
    'samples are up to 2, not in [-1, 1]: divide 16-bit integers by 32768'
    """
    # Samples far out of range are a symptom, and not an error of each clip.
    problems = [*_of_sounds(classifier, wavs, sample_rate), *_of_outputs(classifier, wavs)]
    problems += [*symptoms_of_batches(classifier, wavs), *_of_features(classifier, wavs)]
    known = [number for number, target in enumerate(targets) if target is not None]
    labels = torch.tensor([targets[number] for number in known], dtype=torch.long)
    if len(known) and len(labels.unique()) > 1:
        predicted = p[known].argmax(1)
        problems += _of_one_class(classifier, predicted)
        other_order = list(_of_order(classifier, predicted, labels))
        some = [wavs[number] for number in known[:MOST_CLIPS]]
        # With labels in a wrong order, the accuracy says nothing about other settings.
        problems += other_order or _better_settings(classifier, some, labels[:MOST_CLIPS])
    return problems


def _of_sounds(
    classifier: Decider, wavs: Sequence[Tensor], sample_rate: int | None
) -> Iterator[str]:
    if sample_rate is not None and sample_rate != classifier.sample_rate:
        yield (
            f"the clips have {sample_rate} Hz, the classifier takes {classifier.sample_rate} Hz: "
            f"give the data set sample_rate={classifier.sample_rate}"
        )
    seconds = torch.tensor([wav.shape[-1] / classifier.sample_rate for wav in wavs])
    duration, median = classifier.duration, float(seconds.median())
    if median < 0.9 * duration:
        yield (
            f"clips last {median:.3g} s, and are padded with silence to the classifier's "
            f"{duration:g} s: give the duration that it was trained on, or check the sample rate"
        )
    elif median > LONG * duration:
        yield (
            f"clips last {median:.3g} s, and are classified in windows of {duration:g} s, whose "
            f"probabilities are averaged: give the duration that it was trained on, or check the "
            f"sample rate"
        )
    yield from _of_rate(classifier.sample_rate, wavs[:MOST_CLIPS])
    peaks = torch.tensor([float(wav.abs().max()) for wav in wavs])
    if float(peaks.max()) > LOUDEST:
        yield (
            f"samples are up to {peaks.max():.3g}, not in [-1, 1]: divide 16-bit integers by 32768"
        )
    elif classifier.normalize == "peak" and bool(((peaks - 1).abs() > 0.05).any()):
        yield (
            f"the classifier's clips are peak-normalised, these have peaks from {peaks.min():.3g} "
            f"to {peaks.max():.3g}: use load_audio or normalized, or build it with normalize='none'"
        )


def _of_rate(sample_rate: int, wavs: Sequence[Tensor]) -> Iterator[str]:
    """Name the lower rate at which all clips were recorded, if their spectra end there."""
    sounds = [wav for wav in wavs if float(wav.abs().max()) > 0]
    if len(sounds) < FEWEST_SOUNDS:
        return
    # The largest share at each frequency: one clip with sound there is enough.
    highest = torch.stack([_spectrum(wav) for wav in sounds]).amax(0)
    hertz = torch.arange(len(highest)) * sample_rate / FRAME
    for rate in LOWER_RATES:
        if rate > 0.7 * sample_rate:
            return
        below = highest[(hertz > 0.35 * rate) & (hertz < 0.475 * rate)].mean()
        above = highest[hertz > 0.6 * rate].quantile(0.9)
        if 10 * (below.log10() - above.clamp_min(1e-30).log10()) > CLIFF:
            yield (
                f"nothing above {rate / 2:g} Hz in any clip: were they recorded at {rate} Hz? The "
                f"classifier takes sounds of {sample_rate} Hz: give it such, or check its rate"
            )
            return


def _spectrum(wav: Tensor) -> Tensor:
    """Return the share of the power at each frequency, ``(FRAME // 2 + 1,)`` float64."""
    samples = wav.flatten().cpu().double()
    samples = torch.nn.functional.pad(samples, (0, max(0, FRAME - len(samples))))
    window = torch.hann_window(FRAME, dtype=torch.float64)
    frames = samples.unfold(0, FRAME, FRAME // 2) * window
    power: Tensor = torch.fft.rfft(frames).abs().square().mean(0)
    return power / power.sum()


def _of_outputs(classifier: Decider, wavs: Sequence[Tensor]) -> Iterator[str]:
    with torch.no_grad():
        outputs = [_raw_outputs(classifier, wav) for wav in wavs[:MOST_CLIPS]]
    suspected = suspected_probabilities(torch.cat(outputs), classifier.output)
    if suspected is not None:
        yield (
            f"all outputs are in [0, 1], as probabilities are: if they are, give "
            f"output={suspected!r}, not {classifier.output!r}"
        )


def _raw_outputs(classifier: Decider, wav: Tensor) -> Tensor:
    """Return what the network returns for a clip's first window."""
    inputs = window_inputs(classifier, classifier.transform(wav.to(classifier.device)))[0]
    outputs: Tensor = run_network(classifier.network, inputs)
    return outputs.float().cpu().reshape(1, -1)


def _of_features(classifier: Decider, wavs: Sequence[Tensor]) -> Iterator[str]:
    """Compare the features with what the first batch normalisation saw in training."""
    norms = (nn.BatchNorm1d, nn.BatchNorm2d)
    first = next((m for m in classifier.network.modules() if isinstance(m, norms)), None)
    bins = classifier.transform.num_bins
    if classifier.takes_sounds or first is None or first.num_features != bins:
        return
    if first.running_mean is None:
        return
    transform = classifier.transform
    means = [transform.scaled(transform(wav).db).mean((0, 1, 3)) for wav in wavs[:MOST_CLIPS]]
    shifts = (torch.stack(means) - first.running_mean.cpu()).median(1).values
    shift, count = float(shifts.mean()), len(shifts)
    chance = 2 * float(shifts.std()) / count**0.5 if count > 1 else math.inf
    largest, unit = LARGEST_SHIFT, " dB"
    if transform.is_scaled and first.running_var is not None:
        largest, unit = float(first.running_var.sqrt().median()), ""
    if abs(shift) > largest + chance:
        yield (
            f"the features are {abs(shift):.3g}{unit} {'above' if shift > 0 else 'below'} those "
            f"that the network was trained on: check the transform (mel_scale, n_fft) and the level"
        )


def _of_one_class(classifier: Decider, predicted: Tensor) -> Iterator[str]:
    if len(predicted) > 4 and len(predicted.unique()) == 1:
        yield (
            f"all {len(predicted)} clips are predicted as {classifier.labels[int(predicted[0])]}: "
            f"check rate, level, duration and the features"
        )


def _of_order(classifier: Decider, predicted: Tensor, labels: Tensor) -> Iterator[str]:
    if len(predicted) > 4 and len(predicted.unique()) == 1:
        return
    accuracy = float((predicted == labels).float().mean())
    permuted = _best_order(predicted, labels, len(classifier.labels))
    if permuted >= ORDERED and accuracy < permuted - 0.3:
        yield (
            f"with the labels in another order the accuracy would be {permuted:.2f}, not "
            f"{accuracy:.2f}: give labels in the order of the network's outputs"
        )


def _best_order(predicted: Tensor, labels: Tensor, classes: int) -> float:
    """Return the accuracy if each output had the label that it mostly has; 0 if two share one."""
    counts = torch.zeros(classes, classes)
    counts.index_put_((predicted, labels), torch.ones(len(labels)), accumulate=True)
    usual = counts[predicted.unique()].max(1)
    if len(usual.indices.unique()) < len(usual.indices):
        return 0.0
    return float(usual.values.sum()) / len(labels)


def _better_settings(classifier: Decider, wavs: Sequence[Tensor], labels: Tensor) -> Iterator[str]:
    """Name the normalisation and the duration with which the accuracy is clearly higher."""
    accuracy = _accuracy(classifier, wavs, labels)
    if accuracy > 1 - CLEAR_GAIN:
        return
    for method in NORMALIZATIONS:
        scaled = [normalized(wav, method) for wav in wavs]
        better = _accuracy(classifier, scaled, labels)
        if better >= accuracy + CLEAR_GAIN:
            yield _advice("normalize", repr(method), accuracy, better)
    median = float(torch.tensor([wav.shape[-1] for wav in wavs]).median()) / classifier.sample_rate
    for duration in sorted({median, classifier.duration / 2, classifier.duration * 2}):
        if duration == classifier.duration or duration > LONGEST:
            continue
        other = copy.copy(classifier)
        other.duration = duration
        better = _accuracy(other, wavs, labels)
        if better >= accuracy + CLEAR_GAIN:
            yield _advice("duration", f"{duration:g}", accuracy, better)


def _accuracy(classifier: Decider, wavs: Sequence[Tensor], labels: Tensor) -> float:
    """Return the accuracy; 0 if the network cannot take such clips."""
    try:
        p = whole_clip_probabilities(classifier, wavs)
    except AudioInterpError:
        return 0.0
    return float((p.argmax(1) == labels).double().mean())


def _advice(name: str, value: str, accuracy: float, better: float) -> str:
    return (
        f"the accuracy of these clips is {accuracy:.2f}, and would be {better:.2f} with "
        f"{name}={value}"
    )
