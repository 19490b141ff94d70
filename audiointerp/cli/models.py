"""Opens the classifier that a command was given."""

from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ArgumentError

if TYPE_CHECKING:
    from ..model import Classifier


def open_classifier(weights: Path | None, model: str | None) -> "Classifier":
    """Read a classifier from its weights, or make it by code of the user.

    Args:
        weights: a file that ``Classifier.save`` wrote.
        model: ``"module:function"``, which makes the classifier; the weights are read into it.

    Raises:
        ArgumentError: neither is given, or there is no such function.
        ModelError: the weights cannot be read, or do not fit.

    >>> open_classifier(None, None)
    Traceback (most recent call last):
    audiointerp.errors.ArgumentError: give --weights FILE (written by train), or --model ...
    """
    from ..model import Classifier

    if weights is not None:
        return Classifier.load(weights, factory=model)
    if model is not None:
        return Classifier.from_factory(model)
    raise ArgumentError("give --weights FILE (written by train), or --model module:function")
