"""Does p of a sound depend on the call, or on the other sounds in its batch?"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from ..errors import AudioInterpError
from ..util import one_line, probabilities
from .clip_probabilities import window_inputs
from .decider import Decider

BATCH = 8
"""Clips that are classified together and alone."""
DEPENDENT = 1e-3
"""A probability that changes by more does depend on the call, or on the batch."""
LONGEST_REASON = 200


def symptoms_of_batches(classifier: Decider, wavs: Sequence[Tensor]) -> Iterator[str]:
    """Return what looks wrong if sounds are classified again, and in batches, one sentence each.

    Args:
        classifier: the classifier.
        wavs: clips ``(1, 1, L)``; each is classified as it is and quieter, alone and together.

    >>> from audiointerp import Classifier, Cnn6, LogMel
    >>> classifier = Classifier(Cnn6(2, base_channels=4), LogMel(), ["a", "b"], duration=1.0)
    >>> list(symptoms_of_batches(classifier, [torch.randn(1, 1, 32000)]))
    []
    """
    sounds = [wav * gain for wav in wavs[: BATCH // 2] for gain in (1.0, 0.01)]
    windows = [
        window_inputs(classifier, classifier.transform(sound.to(classifier.device)))[0]
        for sound in sounds
    ]
    # Clips shorter than a window may be padded or not: a batch has one length.
    batch = [window for window in windows if window.shape == windows[0].shape]
    alone, again = (_probabilities_of_each(classifier, batch) for _ in range(2))
    changed = _largest_change(alone, again)
    if changed > DEPENDENT:
        yield (
            f"p of the same sound changes by up to {changed:.2g} from one call to the next: noise, "
            f"dropout or a state in the model; make it repeat its answer"
        )
        return
    one_by_one = (
        "give max_batch=1, or make it take sounds one by one"
        if classifier.takes_sounds
        else "make it take clips one by one"
    )
    try:
        logits = classifier.logits(torch.cat(batch), allow_nan=True)
    except AudioInterpError as error:
        yield (
            f"it takes one clip, but not {len(batch)} at once, in which masks are classified: "
            f"{one_by_one} ({one_line(error, LONGEST_REASON)})"
        )
        return
    largest = _largest_change(alone, probabilities(logits, classifier.output))
    if largest > DEPENDENT:
        yield (
            f"p of a sound changes by up to {largest:.2g} with the other sounds in its batch, and "
            f"masks are classified in batches: a maximum or mean over the batch, e.g. torchaudio's "
            f"AmplitudeToDB(top_db=...) on (N, F, T); {one_by_one}"
        )


def _probabilities_of_each(classifier: Decider, batch: Sequence[Tensor]) -> Tensor:
    """Return the probabilities of sounds or features that are classified one by one."""
    logits = [classifier.logits(window, allow_nan=True) for window in batch]
    return probabilities(torch.cat(logits), classifier.output)


def _largest_change(first: Tensor, second: Tensor) -> float:
    """Return the largest difference; 1 where only one of two is a number."""
    differences = (first - second).abs()
    differences[first.isnan() != second.isnan()] = 1.0
    return float(differences.nan_to_num(0.0).max())
