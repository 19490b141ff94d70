"""What a classifier hears in each window of a recording of any length."""

import os
import warnings
from pathlib import Path
from typing import Any

import torch

from ..errors import ArgumentError, AudioWarning
from ..model import Classifier, optimized
from ..scoring import check_classifier, windows_per_forward
from ..util import Progress, encodable, is_number, show_progress
from .listening import heard_in
from .pieces import blocks_of, in_batches, regular_pieces
from .scan_record import Scan


def scan(
    classifier: Classifier,
    recording: Any,
    *,
    hop: float | None = None,
    optimize: str = "folded",
    device: str | torch.device | None = None,
    progress: Progress = None,
) -> Scan:
    """Classify all windows of a recording of any length, which is read in blocks.

    Each window has the classifier's duration, and is normalised as the clips were that the
    classifier was trained on. The last window ends where the recording ends. The memory does not
    grow with the recording, but for the probabilities.

    Args:
        classifier: the classifier.
        recording: the path of a sound file of any length, rate and number of channels; or a clip
            in memory, as ``interpret`` takes it.
        hop: seconds from one window to the next; by default half of the classifier's duration.
        optimize: ``"folded"``: a faster copy of the network, whose probabilities agree within
            1e-5; ``"none"``: the network itself.
        device: where to compute; the classifier is moved there.
        progress: False for no bar; or a function of (windows done, 0), since it is not known how
            many there will be.

    Raises:
        ArgumentError: ``hop`` is out of range, or the clip in memory is none.
        AudioError: the file cannot be read, is damaged or truncated, or its channels cancel. A
            fault that is at the end of the file shows at the end of the scan.

    >>> from audiointerp import Cnn6, LogMel
    >>> classifier = Classifier(Cnn6(2, base_channels=4), LogMel(), ["cat", "dog"], duration=1.0)
    >>> scan(classifier, torch.randn(80000)).times.tolist()
    [0.0, 0.5, 1.0, 1.5]
    """
    check_classifier(classifier)
    hop_length = _hop_length(classifier, hop)
    fast = optimized(classifier.to(device), optimize)
    starts, silent, end = [], [], 0
    # Not a list of tensors: each would lie in the space that a forward pass has just freed, and
    # the next one would need new memory.
    probabilities = bytearray()
    pieces = regular_pieces(blocks_of(recording, classifier), classifier.window_length, hop_length)
    with show_progress("scanning", 0, "window", progress) as advance:
        for batch in in_batches(pieces, windows_per_forward(classifier)):
            probabilities += heard_in(fast, batch).numpy().tobytes()
            starts += [piece.start for piece in batch]
            silent += [not bool(piece.wav.any()) for piece in batch]
            end = batch[-1].start + batch[-1].wav.shape[-1]
            advance(len(batch))
    name = encodable(Path(recording).name) if isinstance(recording, str | os.PathLike) else ""
    if all(silent):
        place = f"{name}: " if name else ""
        warnings.warn(f"{place}the whole recording is silent", AudioWarning, stacklevel=2)
    return Scan(
        recording=name,
        sample_rate=classifier.sample_rate,
        length=end,
        window_length=classifier.window_length,
        hop_length=hop_length,
        labels=classifier.labels,
        starts=torch.tensor(starts),
        probabilities=torch.frombuffer(probabilities, dtype=torch.float64).view(len(starts), -1),
        silent=torch.tensor(silent),
    )


def _hop_length(classifier: Classifier, hop: float | None) -> int:
    """Return the samples from one window to the next."""
    seconds = classifier.duration / 2 if hop is None else hop
    samples = round(seconds * classifier.sample_rate) if is_number(seconds) else 0
    if not 1 <= samples <= classifier.window_length:
        raise ArgumentError(
            f"hop={hop!r:.40}: give seconds above 0, up to the classifier's duration of "
            f"{classifier.duration:g} s, so that every sample is heard"
        )
    return samples
