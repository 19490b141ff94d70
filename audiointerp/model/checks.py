"""Checks of a classifier's parts, and of the network's logits."""

from collections.abc import Callable, Mapping, Sequence, Set

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from ..errors import ArgumentError, ModelError, unknown_name
from ..processing import Transform
from ..util import BINARY, is_number, network_name
from .panns import Pann
from .sound_model import SoundModel

LONGEST_WINDOW = 600.0
"""Seconds of sound in one window, of a model of sounds or at the usual rate."""
USUAL_RATE = 32000
"""In Hz; at lower rates windows may be longer."""


def check_parts(
    network: nn.Module, transform: Transform, labels: Sequence[str], duration: float, output: str
) -> None:
    """Check that the parts of a classifier fit each other.

    Raises:
        ArgumentError: they do not.

    >>> from audiointerp import Cnn6, LogMel
    >>> check_parts(Cnn6(2, base_channels=4), LogMel(), ["cat", "dog"], 5.0, "softmax")
    """
    if not isinstance(network, nn.Module) or not isinstance(transform, Transform):
        transform_name = getattr(transform, "__name__", type(transform).__name__)
        raise ArgumentError(
            f"a classifier is made of a network and a transform, e.g. LogMel(), "
            f"not of {type(network).__name__} and {transform_name}"
            f"{_is_a_class(network, transform)}"
        )
    if any(is_lazy(parameter) for parameter in network.parameters()):
        raise ArgumentError(
            f"the weights of {network_name(network)} have no shape yet; run it once, e.g. "
            f"{_example_of_a_run(network, transform, duration)}"
        )
    if any(parameter.is_meta for parameter in network.parameters()):
        raise ArgumentError(
            "the network's weights are on the device meta, where they have no values; load them "
            "first, e.g. network.to_empty(device='cpu'), then load_state_dict"
        )
    if isinstance(network, SoundModel) and network.sample_rate != transform.sample_rate:
        raise ArgumentError(
            f"the model takes {network.sample_rate} Hz, and the grid is of "
            f"{transform.sample_rate} Hz; give a grid of the model's sample rate"
        )
    outputs = 1 if output in BINARY else len(labels)
    if isinstance(network, Pann) and network.settings["num_classes"] != outputs:
        raise ArgumentError(
            f"{len(labels)} labels do not fit a network with "
            f"{network.settings['num_classes']} classes"
        )
    if not is_number(duration) or duration <= 0:
        raise ArgumentError(f"duration={duration!r} must be finite and above 0 seconds")
    if duration * transform.sample_rate < 1:
        raise ArgumentError(
            f"duration={duration!r} is less than one sample at {transform.sample_rate} Hz; give "
            f"seconds, e.g. 1.0"
        )
    is_long = duration * transform.sample_rate > LONGEST_WINDOW * USUAL_RATE
    if duration > LONGEST_WINDOW and (is_long or isinstance(network, SoundModel)):
        raise ArgumentError(
            f"duration={duration!r} is in seconds, not in samples or milliseconds; a window of "
            f"more than {LONGEST_WINDOW:g} s fits no memory"
        )


def _example_of_a_run(network: nn.Module, transform: Transform, duration: float) -> str:
    if isinstance(network, SoundModel):
        return f"module(torch.zeros(1, {round(duration * transform.sample_rate)}))"
    return "network(transform(wav).db)"


def _is_a_class(*parts: object) -> str:
    names = [part.__name__ for part in parts if isinstance(part, type)]
    return "".join(f"; {name} is a class, give {name}()" for name in names)


def label_names(labels: Sequence[str]) -> tuple[str, ...]:
    """Return a list of labels as a tuple.

    One string is refused, or its letters would be labels, and a set, which has no order.

    Raises:
        ArgumentError: it is no list.

    >>> label_names(["cat", "dog"])
    ('cat', 'dog')
    """
    if isinstance(labels, str) or not hasattr(labels, "__iter__"):
        raise ArgumentError(f"labels are a list of names, e.g. ['cat', 'dog'], not {labels!r:.80}")
    kind = type(labels).__name__
    if isinstance(labels, Set):
        raise ArgumentError(
            f"labels are a list of names in the order of the outputs, e.g. ['cat', 'dog'], not a "
            f"{kind}, which has no order"
        )
    if isinstance(labels, Mapping):
        raise ArgumentError(
            f"labels are a list of names in the order of the outputs, e.g. ['cat', 'dog'], not a "
            f"{kind}; give list(labels.values()), or list(labels) if the names are its keys"
        )
    return tuple(labels)


def checked_labels(labels: Sequence[str], output: str) -> tuple[str, ...]:
    """Return the labels; that of a binary decision alone gets its opposite before it.

    Raises:
        ArgumentError: they are not the different names of at least two classes.

    >>> checked_labels(["whale"], "binary")
    ('not whale', 'whale')
    """
    names = label_names(labels)
    are_strings = all(isinstance(label, str) for label in names)
    if output in BINARY and len(names) == 1 and are_strings:
        names = (f"not {names[0]}", names[0])
    if not are_strings or not all(names) or len(set(names)) != len(names) or len(names) < 2:
        raise ArgumentError(
            f"labels must be the different names (strings) of at least two classes, "
            f"not {list(names)!r:.200}"
        )
    if output in BINARY and len(names) != 2:
        raise ArgumentError(
            f"output={output!r} is one number per clip, of the second of two labels, "
            f"not of {len(names)}: {', '.join(names):.200}"
        )
    return names


def label_meant(labels: Sequence[str], name: str | int) -> str | int:
    """Return the only label that differs from a name in case, spaces and underscores alone.

    A name that is a label, or is like none or several of them, is returned as it is.

    >>> label_meant(["crying_baby", "dog"], "Crying baby"), label_meant(["Dog", "DOG"], "dog")
    ('crying_baby', 'dog')
    """
    alike = [label for label in labels if _plain(label) == _plain(name)]
    return alike[0] if len(alike) == 1 and name not in labels else name


def _plain(label: str | int) -> str:
    return "".join(str(label).casefold().replace("_", " ").split())


def label_index(labels: Sequence[str], name: str | int) -> int:
    """Return the class number of a label, which is given by name or by number.

    Raises:
        ArgumentError: there is no such label.

    >>> label_index(["cat", "dog"], "dog"), label_index(["cat", "dog"], 0)
    (1, 0)
    """
    if name in labels:
        return labels.index(str(name))
    if str(name).isdecimal() and int(name) < len(labels):
        return int(name)
    raise ArgumentError(unknown_name("label", name, labels))


def _of_other_labels(logits: Tensor, clips: int, classes: int) -> str:
    """Return what to do if there is another number of outputs than of labels."""
    if logits.shape == (clips, classes) or logits.ndim != 2 or len(logits) != clips:
        return ""
    count = logits.shape[1]
    if count == 1:
        return (
            "; one number per clip of two labels is output='binary' if it is a logit, and "
            "output='binary_probability' if it is a probability"
        )
    return f": give {count} labels in the order of the outputs, or select= the outputs of {classes}"


def checked_logits(
    logits: Tensor, clips: int, classes: int, allow_nan: bool, reason: Callable[[], str] = str
) -> Tensor:
    """Return logits ``(N, C)`` that have one row per clip, and one column per label.

    Args:
        logits: of the network.
        clips: N.
        classes: C.
        allow_nan: whether a clip whose logits are not all finite gets NaN for all classes, rather
            than an error for all clips.
        reason: returns why they may not be finite, for the error.

    Raises:
        ModelError: they have another shape, or are not finite.

    >>> checked_logits(torch.tensor([[torch.inf, 0.0]]), 1, 2, allow_nan=True)
    tensor([[nan, nan]])
    """
    is_finite = logits.isfinite()
    all_finite = bool(is_finite.all())
    if logits.shape != (clips, classes) or not (all_finite or allow_nan):
        shape = f"{tuple(logits.shape)}{'' if all_finite else ' with NaN or infinite values'}"
        raise ModelError(
            f"the network must return finite logits ({clips}, {classes}), "
            f"one for each label, not {shape}{'' if all_finite else reason()}"
            f"{_of_other_labels(logits, clips, classes)}"
        )
    if all_finite:
        return logits
    return logits.masked_fill(~is_finite.all(1, keepdim=True), torch.nan)
