"""Reads weights: safetensors files, and official PANNs checkpoints.

No other module reads weights. A safetensors file contains only numbers and text. A foreign ``.pth``
is a pickle and is read by ``torch.load(weights_only=True)`` only, which runs no code from the file.
Names, shapes, types and values are checked before the network is changed.
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

FOREIGN = ("spectrogram_extractor.", "logmel_extractor.")
WRAPPERS = ("module.", "base.")
"""Prefixes of the names in fine-tuned checkpoints: of nn.DataParallel, and of PANNs' Transfer_*."""
HEADS = ("fc_transfer.", "fc_audioset.")
"""The heads of PANNs checkpoints; the body was trained last with the first that is there."""
FILTERS = "logmel_extractor.melW"
LARGEST_FILE = 2**32
"""Bytes; the largest network here, Cnn14, takes 0.33e9."""
LARGEST_HEADER = 2**24
"""Bytes of the names, shapes and metadata of a safetensors file."""


@dataclass(frozen=True)
class Loaded:
    """The outcome of loading a checkpoint.

    Attributes:
        loaded: names of the parameters that were loaded.
        new: names of the network's parameters that the checkpoint does not provide: the head, and
            ``bn0`` if the number of bins differs. They keep their values and have to be trained.
        dropped: names of the checkpoint that the network does not have.
        filter_difference: the largest difference in mean level, in dB, between the checkpoint's mel
            filters and the transform's; None if either is unknown.
        head: the checkpoint's head that became the network's, ``"fc_transfer"`` or
            ``"fc_audioset"``; None if the network kept its own.

    >>> Loaded(("fc1.weight",), ("head.weight",), ("fc_audioset.weight",), None).new
    ('head.weight',)
    """

    loaded: tuple[str, ...]
    new: tuple[str, ...]
    dropped: tuple[str, ...]
    filter_difference: float | None
    head: str | None = None


def read_weights(path: str | os.PathLike[str]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read the tensors of a safetensors file by name, and its metadata.

    Raises:
        ModelError: the file is missing, too large, or not a complete safetensors file.

    >>> import tempfile
    >>> from safetensors.torch import save_file
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_file({"weight": torch.ones(2)}, f"{folder}/a.safetensors", {"author": "me"})
    ...     read_weights(f"{folder}/a.safetensors")
    ({'weight': tensor([1., 1.])}, {'author': 'me'})
    """
    path = _check_file(path, "weights file")
    try:
        with path.open("rb") as raw:
            header = int.from_bytes(raw.read(8), "little")
        if header > LARGEST_HEADER:
            raise ValueError(f"its header would take {header} bytes, the limit is {LARGEST_HEADER}")
        with safe_open(path, framework="pt") as file:
            names = file.keys()
            return {name: file.get_tensor(name) for name in names}, dict(file.metadata() or {})
    # A damaged file can raise any error.
    except Exception as error:
        raise ModelError(f"{path}: not a safetensors file ({reason(error)})") from error


def read_checkpoint(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """Read the ``model`` entry of a foreign ``.pth`` file: dense, real tensors by name.

    No code from the file is run.

    Raises:
        ModelError: the file is missing or too large, has anything but tensors and plain values, or
            has no such entry.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     torch.save({"model": {"weight": torch.ones(2)}}, f"{folder}/a.pth")
    ...     read_checkpoint(f"{folder}/a.pth")
    {'weight': tensor([1., 1.])}
    """
    path = _check_file(path, "checkpoint")
    try:
        _refuse_compressed(path)
        with warnings.catch_warnings(action="ignore"):
            content = torch.load(path, map_location="cpu", weights_only=True)
    # A damaged file can raise any error; there is no fallback to an unsafe reader.
    except Exception as error:
        raise ModelError(
            f"{path}: not a checkpoint that can be read safely ({reason(error)})"
        ) from error
    state = content.get("model") if isinstance(content, dict) else None
    if not isinstance(state, dict) or not all(
        isinstance(name, str) and _is_dense_and_real(value) for name, value in state.items()
    ):
        raise ModelError(
            f"{path}: not in the official format, a dict whose 'model' entry is the state dict"
        )
    return dict(state)


def _check_file(path: str | os.PathLike[str], kind: str) -> Path:
    path = Path(path)
    if not path.is_file():
        raise ModelError(f"{path}: no such {kind}")
    size = path.stat().st_size
    if size > LARGEST_FILE:
        raise ModelError(f"{path}: {size} bytes are too many for a {kind}, limit {LARGEST_FILE}")
    return path


def _refuse_compressed(path: Path) -> None:
    """Refuse compressed entries, which could expand to any size; torch.save never writes them."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            if entry.compress_type != zipfile.ZIP_STORED:
                raise ValueError(
                    f"its entry {entry.filename:.80} is compressed, which torch never writes"
                )


def reason(error: Exception) -> str:
    r"""Return the first line of another library's error, shortened, or the name of its class.

    >>> reason(ValueError("too short\nmore lines"))
    'too short'
    """
    text = next(iter(str(error).splitlines()), "") or type(error).__name__
    # torch's message goes on to recommend the unsafe reader.
    if "weights_only" in text or "Weights only" in text:
        return "it has something other than tensors and plain values"
    return f"{text:.200}"


def _is_dense_and_real(value: object) -> bool:
    return (
        isinstance(value, Tensor)
        and value.layout == torch.strided
        and value.device.type == "cpu"
        and not (value.is_quantized or value.is_complex() or value.is_nested)
    )


def check_state(
    network: nn.Module, state: Mapping[str, Tensor], source: str, new: frozenset[str] = frozenset()
) -> None:
    """Check that weights fit a network, which may be on the ``meta`` device and take no memory.

    Args:
        network: the network that the weights are for.
        state: the weights by name.
        source: where they come from, for the message.
        new: names that the weights need not include.

    Raises:
        ModelError: a name is missing or unknown, or its tensor has another shape or type, or
            contains NaN or infinite values; the message lists all.

    >>> network = nn.Linear(2, 3)
    >>> check_state(network, network.state_dict(), "a.safetensors")
    """
    parameters = network.state_dict()
    faults = [f"{name} is missing" for name in parameters if name not in state and name not in new]
    faults += [f"{name} is unknown" for name in state if name not in parameters]
    for name, parameter in parameters.items():
        if name in state:
            faults += _faults_of_tensor(name, state[name], parameter)
    if faults:
        raise ModelError(f"{source}: does not fit {type(network).__name__}: {'; '.join(faults)}")


def _faults_of_tensor(name: str, tensor: Tensor, parameter: Tensor) -> list[str]:
    shape, dtype = tuple(parameter.shape), parameter.dtype
    if tensor.shape != parameter.shape:
        return [f"{name} has the shape {tuple(tensor.shape)} instead of {shape}"]
    same_kind = tensor.is_floating_point() == parameter.is_floating_point()
    if not same_kind or tensor.is_complex() or tensor.dtype == torch.bool:
        return [f"{name} is of {tensor.dtype} instead of {dtype}"]
    if not tensor.to(dtype).isfinite().all():
        return [f"{name} contains NaN or infinite values"]
    return []


def fit_state(
    network: nn.Module, state: Mapping[str, Tensor], source: str, new: frozenset[str] = frozenset()
) -> None:
    """Load weights into a network, or change nothing if they do not fit.

    Arguments and errors are those of :func:`check_state`.

    >>> network = nn.Linear(1, 1)
    >>> fit_state(network, {"weight": torch.ones(1, 1)}, "a.safetensors", frozenset({"bias"}))
    >>> network.weight.item()
    1.0
    """
    check_state(network, state, source, new)
    network.load_state_dict({**network.state_dict(), **state})


def load_panns(
    network: Pann, path: str | os.PathLike[str], transform: Transform | None = None
) -> Loaded:
    """Load an official PANNs checkpoint (a ``.pth`` whose ``model`` entry is the state dict).

    Checkpoints of fine-tuned PANNs are read too: the prefixes ``module.`` and ``base.`` of their
    names are removed. The feature extractors are dropped. The checkpoint's head (``fc_transfer`` of
    a fine-tuned network, else ``fc_audioset``) is loaded if it has the network's number of classes,
    e.g. 527 for AudioSet, whose labels are independent: ``Classifier(…, output="sigmoid")``. If
    not, the network keeps its own head, and its ``bn0`` if its number of bins is not that of the
    checkpoint.

    Args:
        network: a network of the official size (``base_channels=64``); it is changed in place.
        path: the checkpoint, see :func:`read_checkpoint`.
        transform: the transform of the features; its mel filters are compared with those of the
            checkpoint.

    Raises:
        ModelError: the file is missing or not such a checkpoint, or does not fit the network.

    >>> path = "pretrained/Cnn14_mAP=0.431.pth"
    >>> load_panns(Cnn14(50), path, LogMel()).new  # doctest: +SKIP
    ('head.bias', 'head.weight')
    >>> load_panns(Cnn14(527), path).head  # doctest: +SKIP
    'fc_audioset'
    """
    state, head = _with_head(_unwrap(read_checkpoint(path), path), network)
    dropped = tuple(name for name in state if name.startswith((*FOREIGN, *HEADS)))
    kept = {name: tensor for name, tensor in state.items() if name not in dropped}
    new = {name for name in network.state_dict() if name.startswith("head.") and head is None}
    bins = kept.get("bn0.weight")
    if bins is not None and bins.shape != network.bn0.weight.shape:
        replaced = [name for name in kept if name.startswith("bn0.")]
        new.update(replaced)
        dropped += tuple(replaced)
        kept = {name: tensor for name, tensor in kept.items() if name not in replaced}
    fit_state(network, kept, str(path), frozenset(new))
    difference = _filter_difference(state.get(FILTERS), transform)
    return Loaded(tuple(kept), tuple(sorted(new)), dropped, difference, head)


def _with_head(state: dict[str, Tensor], network: Pann) -> tuple[dict[str, Tensor], str | None]:
    """Rename the checkpoint's head to the network's if it fits; return its old name, or None."""
    prefix = next((prefix for prefix in HEADS if f"{prefix}weight" in state), None)
    if prefix is None or state[f"{prefix}weight"].shape != network.head.weight.shape:
        return state, None
    head = {name: f"head.{name.removeprefix(prefix)}" for name in state if name.startswith(prefix)}
    renamed = {head.get(name, name): tensor for name, tensor in state.items()}
    return renamed, prefix.removesuffix(".")


def _unwrap(state: Mapping[str, Tensor], path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """Remove the prefixes that wrappers put before the names of a PANNs network."""
    unwrapped: dict[str, Tensor] = {}
    for name, tensor in state.items():
        plain_name = name
        while plain_name.startswith(WRAPPERS):
            plain_name = plain_name.partition(".")[2]
        if plain_name in unwrapped:
            raise ModelError(
                f"{path}: has several tensors for {plain_name} (with and without the prefixes "
                f"{', '.join(WRAPPERS)}); keep those of one network"
            )
        unwrapped[plain_name] = tensor
    return unwrapped


def _filter_difference(official: Tensor | None, transform: Transform | None) -> float | None:
    if official is None or not isinstance(transform, LogMel):
        return None
    filters = transform.filters
    if official.shape != (filters.shape[1], filters.shape[0]):
        return float("inf")
    levels = 10 * (official.double().sum(0) / filters.sum(1)).log10()
    return float(levels.abs().max())
