"""Faster copies of networks, to judge the many parts of a page."""

from collections.abc import Sequence
from dataclasses import replace

from ..model import Classifier, optimized
from ..scoring import ExplainedClip


def with_fast_copies(results: Sequence[ExplainedClip]) -> list[ExplainedClip]:
    """Return results whose classifiers classify faster, where they can.

    A classifier of several results is copied once. A network with hooks, e.g. of one who watches
    it, is taken as it is.

    >>> import torch, audiointerp as ai
    >>> classifier = ai.Classifier(ai.Cnn6(2, base_channels=2), ai.LogMel(), ["dog", "rain"], 1.0)
    >>> result = ai.interpret(classifier, torch.randn(32000), "saliency", compared=0)
    >>> first, second = with_fast_copies([result, result])
    >>> first.classifier is second.classifier, first.classifier is classifier
    (True, False)
    """
    copies: dict[int, Classifier] = {}
    faster = []
    for result in results:
        classifier = result.classifier
        if classifier is not None and id(classifier) not in copies:
            copies[id(classifier)] = optimized(classifier, "folded")
        faster.append(replace(result, classifier=copies.get(id(classifier))))
    return faster
