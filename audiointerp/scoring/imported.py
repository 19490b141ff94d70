"""The attribution of a named clip: computed by a method, or read from a folder of maps."""

import torch

from ..interpretation import Attribution, Explainer, MapsFolder
from ..model import Classifier, clip_log_probabilities
from ..processing import Spectrogram
from .explain import explain_clip


def explain_named_clip(
    classifier: Classifier,
    name: str,
    spectrogram: Spectrogram,
    explainer: Explainer,
    target: int | None = None,
) -> Attribution:
    """Explain a clip as :func:`~audiointerp.scoring.explain.explain_clip` does, or by its name.

    Args:
        classifier: the classifier.
        name: the clip's name in results, by which a :class:`MapsFolder` knows it.
        spectrogram: the clip.
        explainer: the method.
        target: the class to explain; the predicted one if None.

    >>> from audiointerp import Cnn6, LogMel, Saliency
    >>> network = Cnn6(2, base_channels=4)
    >>> classifier = Classifier(network, LogMel(), ["cat", "dog"], duration=1.0)
    >>> clip = classifier.transform(torch.randn(1, 1, 32000))
    >>> explain_named_clip(classifier, "a.wav", clip, Saliency(network)).method
    'saliency'
    """
    if not isinstance(explainer, MapsFolder):
        return explain_clip(classifier, spectrogram, explainer, target)
    probs = clip_log_probabilities(classifier, spectrogram)[0].exp()
    predicted = int(probs.argmax())
    target = predicted if target is None else target
    values = explainer.read(
        name,
        classifier.labels[target],
        (spectrogram.db.shape[2], spectrogram.db.shape[3]),
        predicted=target == predicted,
    )
    return Attribution(
        values.to(spectrogram.db.device), torch.tensor([target]), probs, explainer.name
    )
