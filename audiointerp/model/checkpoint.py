"""Weights from elsewhere: the official PANNs checkpoints."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from ..errors import ModelError
from ..processing import LogMel, Transform
from .panns import Pann

FOREIGN = ("spectrogram_extractor.", "logmel_extractor.", "fc_audioset.")
FILTERS = "logmel_extractor.melW"


@dataclass(frozen=True)
class Loaded:
    """What became of a checkpoint.

    Attributes:
        loaded: names taken over.
        new: names of the network that the checkpoint does not fill: the classification head, and ``bn0`` where the number
            of bins is another. They keep the values they had; train them.
        dropped: names of the checkpoint that a spectrogram classifier has no place for.
        filter_difference: the largest difference in mean level, in dB, between the mel filters that the checkpoint was
            trained on and the transform's; None where either is not known.
    """

    loaded: tuple[str, ...]
    new: tuple[str, ...]
    dropped: tuple[str, ...]
    filter_difference: float | None


def fit_state(network: nn.Module, state: Mapping[str, Tensor], source: str, new: frozenset[str] = frozenset()) -> None:
    """Load weights into a network, or change nothing.

    Args:
        network: what receives them.
        state: the weights by name.
        source: where they come from, for the message.
        new: names that the network may keep as they are.

    Raises:
        ModelError: a name is missing, unknown, or of another shape; all of them are listed.
    """
    own = network.state_dict()
    faults = [f"{name} is missing" for name in own if name not in state and name not in new]
    faults += [f"{name} is unknown" for name in state if name not in own]
    faults += [
        f"{name} has the shape {tuple(state[name].shape)} instead of {tuple(tensor.shape)}"
        for name, tensor in own.items()
        if name in state and state[name].shape != tensor.shape
    ]
    if faults:
        raise ModelError(f"{source}: does not fit {type(network).__name__}: {'; '.join(faults)}")
    network.load_state_dict({**own, **state})


def load_panns(network: Pann, path: str | os.PathLike[str], transform: Transform | None = None) -> Loaded:
    """Load an official PANNs checkpoint (a ``.pth`` whose ``model`` entry is the state dict) into a network.

    The extractors' and the AudioSet head's entries are dropped. The new head stays as it is, and so does ``bn0`` where the
    network's number of bins is not the checkpoint's.

    Args:
        network: a network of the official size (``base_channels=64``).
        path: the checkpoint. It is read by ``torch.load(weights_only=True)``, which runs no code from the file.
        transform: what will make the features; its mel filters are compared with the checkpoint's own.

    Raises:
        ModelError: the file is missing or not such a checkpoint, or a name is missing or of another shape.
    """
    path = Path(path)
    if not path.is_file():
        raise ModelError(f"{path}: no such checkpoint")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file can raise anything; it is never read another way
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise ModelError(f"{path}: not a checkpoint that can be read safely ({reason})") from error
    state = content.get("model") if isinstance(content, dict) else None
    if not isinstance(state, dict) or not all(isinstance(tensor, Tensor) for tensor in state.values()):
        raise ModelError(f"{path}: not in the official format, a dict whose 'model' entry is the state dict")
    dropped = tuple(name for name in state if name.startswith(FOREIGN))
    kept = {name: tensor for name, tensor in state.items() if name not in dropped}
    new = {name for name in network.state_dict() if name.startswith("head.")}
    bins = kept.get("bn0.weight")
    if bins is not None and bins.shape != network.bn0.weight.shape:
        replaced = [name for name in kept if name.startswith("bn0.")]
        new.update(replaced)
        dropped += tuple(replaced)
        kept = {name: tensor for name, tensor in kept.items() if name not in replaced}
    fit_state(network, kept, str(path), frozenset(new))
    return Loaded(tuple(kept), tuple(sorted(new)), dropped, _filter_difference(state.get(FILTERS), transform))


def _filter_difference(theirs: Tensor | None, transform: Transform | None) -> float | None:
    if theirs is None or not isinstance(transform, LogMel):
        return None
    ours = transform.filters
    if theirs.shape != (ours.shape[1], ours.shape[0]):
        return float("inf")
    levels = 10 * (theirs.double().sum(0) / ours.sum(1)).log10()
    return float(levels.abs().max())
