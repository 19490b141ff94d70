"""The gate for weights: safetensors, and official PANNs checkpoints from elsewhere.

Nothing else reads weights. A safetensors file holds numbers and text only; a foreign ``.pth`` is a pickle, and is read by
``torch.load(weights_only=True)``, which runs no code from it, or not at all. A file is held against the network (names,
shapes, types, finite values) before the network is touched.
"""

import os
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor, nn

from ..errors import ModelError
from ..processing import LogMel, Transform
from .panns import Pann

FOREIGN = ("spectrogram_extractor.", "logmel_extractor.", "fc_audioset.")
FILTERS = "logmel_extractor.melW"
LARGEST_FILE = 2**32  # bytes; Cnn14, the largest network here, takes 0.33e9
LARGEST_HEADER = 2**24  # bytes of a safetensors file's names, shapes and description


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


def read_weights(path: str | os.PathLike[str]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors of a safetensors file by name, and its metadata.

    Raises:
        ModelError: the file is missing, too large, or not a whole safetensors file.
    """
    path = _usable(path, "weights file")
    try:
        with path.open("rb") as raw:
            header = int.from_bytes(raw.read(8), "little")
        if header > LARGEST_HEADER:
            raise ValueError(f"its header would take {header} bytes, the limit is {LARGEST_HEADER}")
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118
    except Exception as error:  # a damaged file can raise anything
        raise ModelError(f"{path}: not a safetensors file ({reason(error)})") from error


def read_checkpoint(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """The ``model`` entry of a foreign ``.pth`` file: dense, real tensors by name. No code from the file runs.

    Raises:
        ModelError: the file is missing, too large, holds anything but tensors and plain values, or has no such entry.
    """
    path = _usable(path, "checkpoint")
    try:
        _refuse_packed(path)
        with warnings.catch_warnings(action="ignore"):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file can raise anything; it is never read another way
        raise ModelError(f"{path}: not a checkpoint that can be read safely ({reason(error)})") from error
    state = content.get("model") if isinstance(content, dict) else None
    if not isinstance(state, dict) or not all(isinstance(name, str) and _plain(state[name]) for name in state):
        raise ModelError(f"{path}: not in the official format, a dict whose 'model' entry is the state dict")
    return dict(state)


def _usable(path: str | os.PathLike[str], kind: str) -> Path:
    path = Path(path)
    if not path.is_file():
        raise ModelError(f"{path}: no such {kind}")
    if path.stat().st_size > LARGEST_FILE:
        raise ModelError(f"{path}: {path.stat().st_size} bytes are too many for a {kind}, the limit is {LARGEST_FILE}")
    return path


def _refuse_packed(path: Path) -> None:
    """torch.save packs nothing; an entry that is packed may unfold to any size."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            packed = [entry.filename for entry in archive.infolist() if entry.compress_type != zipfile.ZIP_STORED]
        if packed:
            raise ValueError(f"its entry {packed[0]:.80} is compressed, which torch never writes")


def reason(error: Exception) -> str:
    """The first line of an error of another library, or its name; not long."""
    text = next(iter(str(error).splitlines()), "") or type(error).__name__
    if "weights_only" in text or "Weights only" in text:  # torch goes on to recommend the unsafe way
        return "it holds something else than tensors and plain values"
    return f"{text:.200}"


def _plain(value: object) -> bool:
    return (
        isinstance(value, Tensor)
        and value.layout == torch.strided
        and value.device.type == "cpu"
        and not (value.is_quantized or value.is_complex() or value.is_nested)
    )


def check_state(
    network: nn.Module, state: Mapping[str, Tensor], source: str, new: frozenset[str] = frozenset()
) -> None:
    """Hold weights against a network, which may be on the ``meta`` device, where it takes no memory.

    Args:
        network: what they are for.
        state: the weights by name.
        source: where they come from, for the message.
        new: names that the network may keep as they are.

    Raises:
        ModelError: a name is missing, unknown, of another shape or type, or holds NaN or infinite values; all are listed.
    """
    own = network.state_dict()
    faults = [f"{name} is missing" for name in own if name not in state and name not in new]
    faults += [f"{name} is unknown" for name in state if name not in own]
    faults += [fault for name in own if name in state and (fault := _fault(name, state[name], own[name]))]
    if faults:
        raise ModelError(f"{source}: does not fit {type(network).__name__}: {'; '.join(faults)}")


def _fault(name: str, theirs: Tensor, ours: Tensor) -> str | None:
    if theirs.shape != ours.shape:
        return f"{name} has the shape {tuple(theirs.shape)} instead of {tuple(ours.shape)}"
    if theirs.is_floating_point() != ours.is_floating_point() or theirs.is_complex() or theirs.dtype == torch.bool:
        return f"{name} is of {theirs.dtype} instead of {ours.dtype}"
    if not theirs.to(ours.dtype).isfinite().all():
        return f"{name} holds NaN or infinite values"
    return None


def fit_state(network: nn.Module, state: Mapping[str, Tensor], source: str, new: frozenset[str] = frozenset()) -> None:
    """Load weights into a network, or change nothing; arguments and errors are those of :func:`check_state`."""
    check_state(network, state, source, new)
    network.load_state_dict({**network.state_dict(), **state})


def load_panns(network: Pann, path: str | os.PathLike[str], transform: Transform | None = None) -> Loaded:
    """Load an official PANNs checkpoint (a ``.pth`` whose ``model`` entry is the state dict) into a network.

    The extractors' and the AudioSet head's entries are dropped. The new head stays as it is, and so does ``bn0`` where the
    network's number of bins is not the checkpoint's.

    Args:
        network: a network of the official size (``base_channels=64``).
        path: the checkpoint, see :func:`read_checkpoint`.
        transform: what will make the features; its mel filters are compared with the checkpoint's own.

    Raises:
        ModelError: the file is missing or not such a checkpoint, or a name is missing or of another shape.
    """
    state = read_checkpoint(path)
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
