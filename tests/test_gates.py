"""Weights files: what a damaged or malicious file can do when it is opened."""

import json
import resource
import struct
import tempfile
import time
from functools import cache
from pathlib import Path

import pytest
import torch
from conftest import torture
from safetensors.torch import load, load_file, save_file

from audiointerp.errors import ModelError
from audiointerp.model import checkpoint as gate
from audiointerp.model.checkpoint import load_panns
from audiointerp.model.classifier import Classifier
from audiointerp.model.panns import build_network, initialise
from audiointerp.processing.spectrogram import LogMel

pytestmark = pytest.mark.torture
WEIGHTS = Path(__file__).parents[1] / "weights"


@pytest.mark.parametrize("name", ["esc10_mel_cnn10", "esc10_stft_cnn10"])
def test_committed_weights_come_out_bit_for_bit(name):
    """The weights equal those of safetensors' own reader and of a network filled without checks."""
    path = WEIGHTS / f"{name}.safetensors"
    stored = load_file(path)
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    classifier = Classifier.load(path)
    # Loading draws nothing.
    assert torch.rand(1).equal(expected)
    state = classifier.network.state_dict()
    assert state.keys() == stored.keys()
    for key, tensor in state.items():
        assert tensor.dtype == stored[key].dtype
        assert tensor.device.type == "cpu"
        assert tensor.equal(stored[key]), key
    plain = build_network("Cnn10", classifier.network.settings)
    plain.load_state_dict(stored)
    assert [p.requires_grad for p in classifier.network.parameters()] == [True] * len(
        list(plain.parameters())
    )
    db = classifier.transform(
        torch.randn(2, 1, 16000, generator=torch.Generator().manual_seed(0))
    ).db
    with torch.no_grad():
        assert classifier.network(db).equal(plain.eval()(db))


@cache
def saved_bytes():
    """The bytes of a small file that Classifier.save writes."""
    network = build_network("Cnn10", {"num_classes": 3, "base_channels": 4})
    initialise(network, 0)
    with tempfile.TemporaryDirectory() as folder:
        Classifier(network, LogMel(), ["label0", "label1", "label2"], 1.0).save(
            f"{folder}/a.safetensors"
        )
        return Path(f"{folder}/a.safetensors").read_bytes()


def valid_parts():
    """The record and the tensors of that file."""
    content = saved_bytes()
    size = struct.unpack("<Q", content[:8])[0]
    return json.loads(json.loads(content[8 : 8 + size])["__metadata__"]["audiointerp"]), load(
        content
    )


def change(record, path, value):
    *parents, last = path.split(".")
    for parent in parents:
        record = record[parent]
    record[last] = value


HOSTILE = {
    "channels of a planet": ("settings.base_channels", 10**6),
    "channels past 64 bits": ("settings.base_channels", 10**30),
    "bins": ("settings.num_bins", 10**9),
    "classes": ("settings.num_classes", 10**9),
    "negative": ("settings.base_channels", -4),
    "text for a number": ("settings.num_bins", "64"),
    "a truth for a number": ("settings.base_channels", True),
    "a fraction": ("settings.num_bins", 64.0),
    "none": ("settings.dropout", None),
    "dropout": ("settings.dropout", float("nan")),
    "unknown setting": ("settings.depth", 3),
    "settings as a list": ("settings", [4]),
    "settings left out": ("settings", {}),
    "network": ("network", "Cnn7"),
    "network by number": ("network", 7),
    "no network": ("network", None),
    "labels": ("labels", [f"label{i}" for i in range(10**6)]),
    "equal labels": ("labels", ["a"] * 10**6),
    "labels by number": ("labels", [1, 2, 3]),
    "labels as text": ("labels", "abc"),
    "labels in labels": ("labels", [["a"], ["b"], ["c"]]),
    "a long window": ("duration", 1e12),
    "an endless window": ("duration", float("inf")),
    "no window": ("duration", 0),
    "an unknown window": ("duration", float("nan")),
    "a window of text": ("duration", "1"),
    "a rate of the stars": ("transform.sample_rate", 10**12),
    "a rate below nothing": ("transform.sample_rate", -32000),
    "a broken rate": ("transform.sample_rate", 32000.5),
    "n_fft": ("transform.n_fft", 2**40),
    "n_fft as float": ("transform.n_fft", 1024.0),
    "hop": ("transform.hop_length", 0),
    "a hop of one": ("transform.hop_length", "1"),
    "mels": ("transform.n_mels", 10**9),
    "other mels": ("transform.n_mels", 40),
    "f_max": ("transform.f_max", float("inf")),
    "f_min": ("transform.f_min", float("nan")),
    "mel scale": ("transform.mel_scale", "hertz"),
    "transform": ("transform.name", "os.system"),
    "transform by list": ("transform", ["LogMel"]),
    "training": ("training", "abc"),
    "output": ("output", "argmax"),
    "output by list": ("output", ["softmax"]),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_descriptions_are_refused_in_no_memory(kind, tmp_path):
    record, state = valid_parts()
    change(record, *HOSTILE[kind])
    save_file(state, tmp_path / "a.safetensors", metadata={"audiointerp": json.dumps(record)})
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    with pytest.raises(ModelError, match=r"a\.safetensors") as error:
        Classifier.load(tmp_path / "a.safetensors")
    assert len(str(error.value)) < 5000
    assert "\n" not in str(error.value)
    assert time.monotonic() - start < 10
    # ru_maxrss is in KiB on Linux.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500 * 1024


def test_costly_sums_of_harmless_numbers(tmp_path):
    """Each value alone is possible, but a window with both is not."""
    record, state = valid_parts()
    record["duration"] = 3600.0
    record["transform"].update(hop_length=1)
    save_file(state, tmp_path / "a.safetensors", metadata={"audiointerp": json.dumps(record)})
    with pytest.raises(ModelError, match="too long for any memory"):
        Classifier.load(tmp_path / "a.safetensors")


BAD_TEXT = {
    "deep": '{"network": ' + "[" * 100_000 + "]" * 100_000 + "}",
    "long number": '{"duration": ' + "9" * 10_000 + "}",
    "no object": "[]",
    "null": "null",
    "cut": '{"network": "Cnn',
    "nothing": "",
}


@pytest.mark.parametrize("kind", BAD_TEXT)
def test_descriptions_that_are_none(kind, tmp_path):
    _, state = valid_parts()
    save_file(state, tmp_path / "a.safetensors", metadata={"audiointerp": BAD_TEXT[kind]})
    with pytest.raises(ModelError, match="does not fit"):
        Classifier.load(tmp_path / "a.safetensors")


WRONG_TENSORS = {
    "NaN": (lambda t: t.fill_(torch.nan), "head.bias contains NaN"),
    "infinite": (lambda t: t.fill_(-torch.inf), "head.bias contains NaN or infinite"),
    "too large for float32": (
        lambda t: t.double().fill_(1e300),
        "head.bias contains NaN or infinite",
    ),
    "integers": (lambda t: t.int(), r"head.bias is of torch.int32 instead of torch.float32"),
    "truths": (lambda t: t.bool(), r"head.bias is of torch.bool"),
    "complex": (lambda t: t.to(torch.complex64), r"head.bias is of torch.complex64"),
    "shape": (lambda t: t[:2], r"head.bias has the shape \(2,\) instead of \(3,\)"),
}


@pytest.mark.parametrize("kind", WRONG_TENSORS)
def test_tensors_that_do_not_fit_are_all_named(kind, tmp_path):
    make, message = WRONG_TENSORS[kind]
    record, state = valid_parts()
    state["head.bias"] = make(state["head.bias"].clone()).contiguous()
    state["bn0.num_batches_tracked"] = torch.tensor(0.5)
    del state["fc1.bias"]
    state["surplus"] = torch.zeros(1)
    try:
        save_file(state, tmp_path / "a.safetensors", metadata={"audiointerp": json.dumps(record)})
    except KeyError:
        assert kind == "complex"
        pytest.skip("this version of safetensors knows no complex numbers")
    with pytest.raises(ModelError, match=message) as error:
        Classifier.load(tmp_path / "a.safetensors")
    for other in (
        "fc1.bias is missing",
        "surplus is unknown",
        "num_batches_tracked is of torch.float32",
    ):
        assert other in str(error.value)


def test_half_precision_weights_still_load(tmp_path):
    record, state = valid_parts()
    halves = {
        name: tensor.half() if tensor.is_floating_point() else tensor
        for name, tensor in state.items()
    }
    save_file(halves, tmp_path / "a.safetensors", metadata={"audiointerp": json.dumps(record)})
    loaded = Classifier.load(tmp_path / "a.safetensors").network.state_dict()
    assert all(loaded[name].equal(half.to(loaded[name].dtype)) for name, half in halves.items())


def test_no_byte_of_a_weights_file_can_do_worse_than_a_model_error(tmp_path, figure):
    """Cut, lengthened and bit-flipped files load as a valid file or raise a ModelError."""
    content, path = saved_bytes(), tmp_path / "a.safetensors"
    header = 8 + struct.unpack("<Q", content[:8])[0]
    draw = torch.Generator().manual_seed(0)
    count = torture(60, 3000)
    messages, slowest = [], 0.0
    for number in range(count):
        damaged = bytearray(content)
        place = int(torch.randint(0, header if number % 2 else len(content), (1,), generator=draw))
        match number % 5:
            case 0:
                del damaged[place:]
            case 1:
                damaged[place] ^= 1 << number % 8
            case 2:
                damaged[:8] = struct.pack("<Q", (place * 7919) ** (1 + number % 6) % 2**64)
            case 3:
                damaged[place:place] = damaged[:99]
            case 4:
                damaged[place % header : place % header + 3] = b'"[{'
        path.write_bytes(damaged)
        start = time.monotonic()
        try:
            Classifier.load(path)
        except ModelError as error:
            messages.append(str(error))
        slowest = max(slowest, time.monotonic() - start)
    refused = len(messages)
    assert refused > count / 2
    assert all(str(path) in message for message in messages)
    assert slowest < 5
    figure(
        "damaged safetensors files",
        f"{count:,} files: {refused:,} refused by ModelError, 0 others; ≤ {slowest:.2f} s each",
    )


def test_lying_headers(tmp_path):
    path = tmp_path / "a.safetensors"
    tensor = {"a": {"dtype": "F32", "shape": [10**12], "data_offsets": [0, 4 * 10**12]}}
    wrapped = {"a": {"dtype": "F32", "shape": [2**32, 2**32], "data_offsets": [0, 0]}}
    overlap = {name: {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]} for name in "ab"}
    deep = b'{"a":' * 5000
    for header in (
        json.dumps(tensor).encode(),
        json.dumps(wrapped).encode(),
        json.dumps(overlap).encode(),
        deep,
        b"{",
    ):
        path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))
        with pytest.raises(ModelError, match="not a safetensors file"):
            Classifier.load(path)
    for content in (
        b"",
        b"\0",
        bytes(8),
        struct.pack("<Q", 2**63),
        struct.pack("<Q", gate.LARGEST_HEADER + 1) + bytes(9),
    ):
        path.write_bytes(content)
        with pytest.raises(ModelError, match="not a safetensors file"):
            Classifier.load(path)
    with path.open("wb") as file:
        # A sparse file, which takes no room on the disk.
        file.truncate(gate.LARGEST_FILE + 1)
    for read in (
        Classifier.load,
        lambda file: load_panns(build_network("Cnn6", {"num_classes": 2}), file),
    ):
        with pytest.raises(ModelError, match="too many for a"):
            read(path)
