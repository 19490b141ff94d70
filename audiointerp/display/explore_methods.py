"""Which methods can be offered for a classifier, before any of them is computed."""

from collections.abc import Sequence

from torch import Tensor

from ..errors import ArgumentError, choose
from ..interpretation import METHODS
from ..model import Classifier

FIRST_METHODS = ("gradcam", "saliency", "occlusion")
"""The first of these that can be used explains each clip as it is opened."""


def usable_methods(
    classifier: Classifier, methods: Sequence[str] | None = None, background: Tensor | None = None
) -> list[str]:
    """Return the names of the methods that a person can choose from.

    Args:
        classifier: the classifier.
        methods: names in ``METHODS``; None for all that can be used.
        background: features of training clips, for methods that need them.

    Raises:
        ArgumentError: a name is unknown, or its method cannot explain this classifier.

    >>> import audiointerp as ai
    >>> classifier = ai.Classifier(ai.Cnn6(2, base_channels=2), ai.LogMel(), ["dog", "rain"])
    >>> usable_methods(classifier)[:3], usable_methods(classifier, ["rise"])
    (['gradcam', 'saliency', 'lime'], ['rise'])
    """
    if isinstance(methods, str) or (methods is not None and not methods):
        raise ArgumentError(f"methods: a list of at least one, e.g. ['gradcam'], not {methods!r}")
    if methods is not None:
        for name in methods:
            # An object would be of the network itself, and a copy is explained.
            if not isinstance(name, str):
                raise ArgumentError(f"methods: names of METHODS, not {name!r:.80}")
            METHODS[choose("method", name, METHODS)].check_network(classifier.network)
            _check_background(name, background)
        return list(dict.fromkeys(methods))
    usable = [name for name in METHODS if _is_usable(name, classifier, background)]
    return sorted(usable, key=lambda name: name != first_method(usable))


def first_method(methods: Sequence[str]) -> str:
    """Return the method that explains a clip as it is opened: a quick one, if there is one.

    >>> first_method(["rise", "saliency"]), first_method(["rise"])
    ('saliency', 'rise')
    """
    return next((name for name in FIRST_METHODS if name in methods), methods[0])


def _check_background(name: str, background: Tensor | None) -> None:
    if METHODS[name].needs_background and background is None:
        raise ArgumentError(
            f"{name} compares a clip with a background: give background=features (B, 1, F, T) of "
            f"training clips"
        )


def _is_usable(name: str, classifier: Classifier, background: Tensor | None) -> bool:
    try:
        METHODS[name].check_network(classifier.network)
        _check_background(name, background)
    except ArgumentError:
        return False
    return True
