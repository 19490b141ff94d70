"""Labels of clips as others write them: names, numbers, several of them, multi-hot vectors."""

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np
from torch import Tensor

from ..errors import DatasetError, unknown_name
from .clip_dataset import Target


def as_target(label: Any, labels: Sequence[str], place: str) -> Target:
    """Return the target of a label.

    Args:
        label: a name or a number; or, for any number of classes, a tuple, list or set of names or
            numbers, or a multi-hot tensor or array ``(len(labels),)`` of zeros and ones.
        labels: the class names by target.
        place: the clip, for messages.

    Returns:
        A number; for several classes, a sorted tuple of numbers.

    Raises:
        DatasetError: there is no such label, or the label has another form, or two meanings.

    >>> as_target("dog", ("cat", "dog"), "clip 0"), as_target(np.array([1, 0, 1]), "abc", "clip 0")
    (1, (0, 2))
    """
    value = label.detach().cpu().numpy() if isinstance(label, Tensor) else label
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value.item()
    if isinstance(value, np.ndarray):
        return _from_multi_hot(value, labels, place)
    if isinstance(value, list | tuple | set | frozenset):
        return _from_several(list(value), labels, place)
    return _number_of(value, labels, place)


def _number_of(label: Any, labels: Sequence[str], place: str) -> int:
    is_number = isinstance(label, Integral) and not isinstance(label, bool)
    if is_number and 0 <= label < len(labels):
        return int(label)
    if isinstance(label, str) and label in labels:
        return list(labels).index(label)
    if isinstance(label, str):
        raise DatasetError(f"{place}: {unknown_name('label', label, labels):.400}")
    if is_number:
        raise DatasetError(
            f"{place}: label {label} is not among the {len(labels)} labels, numbered from 0"
        )
    raise DatasetError(
        f"{place}: a label is a name or a number, or several of them, not {label!r:.80}"
    )


def _from_multi_hot(values: np.ndarray[Any, Any], labels: Sequence[str], place: str) -> Target:
    if values.shape != (len(labels),) or not np.isin(values, (0, 1)).all():
        raise DatasetError(
            f"{place}: labels as an array {values.shape} are not zeros and ones ({len(labels)},), "
            "one for each label"
        )
    return tuple(int(number) for number in np.flatnonzero(values))


def _from_several(values: list[Any], labels: Sequence[str], place: str) -> Target:
    # [1, 0, 0] lists a number twice, so it can only be multi-hot; [0, 1] can be either.
    are_bits = bool(values) and all(isinstance(v, Integral) and v in (0, 1) for v in values)
    if are_bits and len(values) == len(labels):
        if len(set(values)) == len(values):
            raise DatasetError(
                f"{place}: {values} are two numbers of classes or a multi-hot vector; give names, "
                "or a tensor for multi-hot"
            )
        return _from_multi_hot(np.array(values), labels, place)
    return tuple(sorted({_number_of(value, labels, place) for value in values}))


def label_names(values: Sequence[Any]) -> tuple[str, ...]:
    """The class names in the labels of all clips, sorted.

    Raises:
        DatasetError: a label is not a name.

    >>> label_names(["dog", "cat", ("dog", "rain")])
    ('cat', 'dog', 'rain')
    """
    names: set[str] = set()
    for value in values:
        several = value if isinstance(value, list | tuple | set | frozenset) else (value,)
        for name in several:
            if not isinstance(name, str):
                raise DatasetError(
                    f"labels are numbers or vectors, e.g. {name!r:.80}: give labels=, the class "
                    "names by number"
                )
            names.add(str(name))
    return tuple(sorted(names))
