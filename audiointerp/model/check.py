"""Does a classifier decide as its owner's pipeline does? What looks wrong if it does not?"""

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import ArgumentError, AudioWarning, ModelError
from ..processing import load_audio
from ..util import one_line
from .clip_probabilities import whole_clip_probabilities
from .decider import Decider
from .symptoms import symptoms

LONGEST_REASON = 200
CLEAR_DIFFERENCE = 0.02
"""A probability that differs by more from the reference's is not an effect of rounding."""
Reference = Callable[[np.ndarray], Any] | Sequence[Any] | np.ndarray | Tensor
"""The owner's own pipeline: a function of one clip's samples ``(L,)``, or its results in order: for
each clip a label, a class number, or the probabilities of all classes ``(C,)``."""


@dataclass(frozen=True)
class Check:
    """What :meth:`~audiointerp.model.Classifier.check` finds.

    Attributes:
        clips: the number of clips.
        accuracy: the share of clips whose label is predicted; NaN if they have no labels.
        agreement: the share of clips with the class of the reference; NaN without a reference.
        largest_difference: of any probability from the reference's; NaN if it has none.
        problems: what looks wrong, and what to do, one sentence each.
        gradients: of what they are, for a model of sounds whose features were found to be those of
            the grid.

    >>> print(Check(4, 0.25, problems=("all clips are predicted as dog",)))
    4 clips: accuracy 0.25
    - all clips are predicted as dog
    """

    clips: int
    accuracy: float = float("nan")
    agreement: float = float("nan")
    largest_difference: float = float("nan")
    problems: tuple[str, ...] = field(default=())
    gradients: str = ""

    def __str__(self) -> str:
        figures = {
            "accuracy": self.accuracy,
            "agreement with the reference": self.agreement,
            "largest difference of a probability": self.largest_difference,
        }
        parts = [f"{name} {value:.3g}" for name, value in figures.items() if value == value]
        clips = "1 clip" if self.clips == 1 else f"{self.clips} clips"
        first = f"{clips}: {', '.join(parts) or 'no labels, and no reference'}"
        gradients = [f"gradients: {self.gradients}"] if self.gradients else []
        return "\n".join([first, *gradients, *(f"- {problem}" for problem in self.problems)])


def check(classifier: Decider, clips: Any, reference: Reference | None = None) -> Check:
    """See :meth:`~audiointerp.model.Classifier.check`.

    Raises:
        ArgumentError: there is no clip, a clip is not one sound, or the reference has another
            number of results.

    >>> from audiointerp import Classifier, Cnn6, LogMel
    >>> classifier = Classifier(Cnn6(2, base_channels=4), LogMel(), ["a", "b"], duration=1.0)
    >>> check(classifier, [(torch.randn(1, 32000), "a"), (torch.randn(1, 32000), "b")]).clips
    2
    """
    items = list(_items(classifier, clips))
    if not items:
        raise ArgumentError("check needs at least one clip (wav, label)")
    wavs = [wav for wav, _ in items]
    targets = [target for _, target in items]
    with warnings.catch_warnings():
        # A wrong level is among the problems.
        warnings.simplefilter("ignore", AudioWarning)
        p = torch.cat([_probabilities(classifier, number, wav) for number, wav in enumerate(wavs)])
        agreement, difference, are_logits = _compared(classifier, wavs, p, reference)
        problems = symptoms(classifier, wavs, targets, p, getattr(clips, "sample_rate", None))
        if are_logits:
            problems.insert(
                0,
                "the reference's numbers are not in [0, 1], so only the classes are compared: "
                "give probabilities, e.g. the softmax of its logits",
            )
        if agreement == 1 and difference > CLEAR_DIFFERENCE:
            problems.insert(
                0,
                f"the classes agree with the reference, but a probability differs by "
                f"{difference:.2g}: check the sample rate, the duration and the level",
            )
        normalize = getattr(clips, "normalize", classifier.normalize)
        if normalize != classifier.normalize:
            problems.insert(
                0,
                f"the data set's clips are normalised by {normalize!r}, the classifier's by "
                f"{classifier.normalize!r}: give the data set normalize={classifier.normalize!r}",
            )
    accuracy = _share(p.argmax(1).tolist(), targets)
    gradients = classifier.gradients if classifier.features else ""
    return Check(len(wavs), accuracy, agreement, difference, tuple(problems), gradients)


def _items(classifier: Decider, clips: Any) -> Iterator[tuple[Tensor, int | None]]:
    """Yield each clip ``(1, 1, L)`` with its class number, or None."""
    if isinstance(clips, str | os.PathLike):
        raise ArgumentError(
            f"check takes a data set or a list of pairs (wav, label); for a folder or a table give "
            f"ai.as_dataset({str(clips)!r:.80}, sample_rate={classifier.sample_rate}, "
            f"normalize={classifier.normalize!r})"
        )
    if not hasattr(clips, "__getitem__"):
        raise ArgumentError(
            f"check takes a data set or a list of pairs (wav, label), not {clips!r:.80}"
        )
    for number in range(len(clips)):
        item = clips[number]
        wav, label = item if isinstance(item, tuple | list) else (item, None)
        sound = _samples(classifier, wav, number)
        if not sound.ndim:
            raise ArgumentError(
                f"clip {number} is a single number: check takes several sounds; give one as [wav]"
            )
        if sound.numel() != sound.shape[-1] or not sound.numel():
            raise ArgumentError(f"clip {number} is not one mono sound (L,): {tuple(sound.shape)}")
        if not sound.isfinite().all():
            raise ArgumentError(f"clip {number}: the sound holds NaN or infinite samples")
        yield sound.reshape(1, 1, -1), _target(classifier, label, getattr(clips, "labels", None))


def _samples(classifier: Decider, wav: Any, number: int) -> Tensor:
    """Return the samples of a clip: a file as the classifier takes it, others as they are."""
    if isinstance(wav, str | os.PathLike):
        return load_audio(wav, classifier.sample_rate, normalize=classifier.normalize)
    # Of a pair (samples, rate), torch would make a tensor of objects, slowly.
    is_pair = isinstance(wav, tuple)
    try:
        if not is_pair:
            return torch.as_tensor(wav).float()
    except (TypeError, ValueError, RuntimeError):
        pass
    raise ArgumentError(
        f"clip {number} is not one sound (L,): {one_line(repr(wav), 80)}; check takes paths, "
        f"samples at {classifier.sample_rate} Hz, e.g. of as_clip(wav, {classifier.sample_rate}), "
        f"or a data set"
    )


def _target(classifier: Decider, label: Any, names: Sequence[str] | None) -> int | None:
    """Return the class number of a label: a name, or a number of the classifier's or the data's."""
    if isinstance(label, tuple | list) and len(label) != 1:
        raise ArgumentError(
            f"check compares clips with one label each, not {label!r:.80}; give one, or none and "
            f"a reference"
        )
    plain = label[0] if isinstance(label, tuple | list) else label
    if isinstance(plain, Tensor | np.generic):
        plain = plain.item()
    if plain is None or isinstance(plain, str):
        return None if plain is None else classifier.target(plain)
    # A number is never looked up among names, which can be numbers themselves.
    if names is not None:
        return classifier.target(names[plain])
    if not isinstance(plain, int) or not 0 <= plain < len(classifier.labels):
        raise ArgumentError(
            f"class {plain!r:.40} is not one of the classifier's {len(classifier.labels)}"
        )
    return plain


def _share(predicted: Sequence[int], targets: Sequence[int | None]) -> float:
    pairs = [
        label == target
        for label, target in zip(predicted, targets, strict=True)
        if target is not None
    ]
    return sum(pairs) / len(pairs) if pairs else float("nan")


def _probabilities(classifier: Decider, number: int, wav: Tensor) -> Tensor:
    """Return the probabilities ``(1, C)`` of a clip; errors name it if those before it passed."""
    try:
        return whole_clip_probabilities(classifier, [wav])
    except ModelError as error:
        raise ModelError(f"clip {number}: {error}" if number else str(error)) from error


def _result_of(reference: Callable[[np.ndarray], Any], wav: Tensor) -> Any:
    """Call the owner's pipeline for one clip."""
    samples = wav.flatten().cpu().numpy()
    # It can raise any error.
    try:
        return reference(samples)
    except Exception as error:
        raise ArgumentError(
            f"the reference gets one clip's samples as a NumPy array {samples.shape}, and raised "
            f"{type(error).__name__}: {one_line(error, LONGEST_REASON)}"
        ) from error


def _compared(
    classifier: Decider, wavs: Sequence[Tensor], p: Tensor, reference: Reference | None
) -> tuple[float, float, bool]:
    """Return the agreement with the reference, the largest difference, whether it has logits."""
    if reference is None:
        return float("nan"), float("nan"), False
    if callable(reference):
        results = [_result_of(reference, wav) for wav in wavs]
    else:
        results = list(reference)
    if len(results) != len(wavs):
        raise ArgumentError(f"the reference has {len(results)} results for {len(wavs)} clips")
    differences: list[float] = []
    classes: list[int | None] = []
    are_logits = False
    for row, result in zip(p, results, strict=True):
        if isinstance(result, str | int | np.integer):
            classes.append(_target(classifier, result, None))
            continue
        other = _numbers(result, len(row))
        classes.append(int(other.argmax()))
        if bool(((other >= 0) & (other <= 1)).all()):
            differences.append(float((other - row).abs().max()))
        else:
            are_logits = True
    largest = max(differences, default=float("nan"))
    return _share(p.argmax(1).tolist(), classes), largest, are_logits


def _numbers(result: Any, classes: int) -> Tensor:
    """Return a result of the reference that is one number per class, ``(C,)`` float64."""
    given = f"{result!r:.80}"
    try:
        numbers = torch.as_tensor(result).double().flatten()
        if len(numbers) == classes:
            return numbers
        given = f"{tuple(numbers.shape)}"
    except (TypeError, ValueError, RuntimeError):
        pass
    raise ArgumentError(
        f"a result of the reference is a label, a class number or {classes} probabilities, not "
        f"{given}"
    )
