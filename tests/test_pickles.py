"""Foreign checkpoints: opening a malicious pickle runs nothing."""

import io
import pickle
import tarfile
import zipfile
from pathlib import Path

import pytest
import torch
from torch import nn

from audiointerp.errors import ModelError
from audiointerp.model.checkpoint import load_panns
from audiointerp.model.classifier import Classifier
from audiointerp.model.panns import build_network

pytestmark = pytest.mark.torture


class Canary:
    """An object that leaves a file behind when it is unpickled."""

    def __init__(self, call, arguments):
        self.call, self.arguments = call, arguments

    def __reduce__(self):
        return self.call, self.arguments


class Module(nn.Module):
    """A whole model, which torch.save writes as a class by name."""


def hostile_pickles(canary):
    """Contents of files by name; each would write the file ``canary``."""
    code = f"open({str(canary)!r}, 'w').close()"
    import builtins
    import os

    calls = {
        "exec": Canary(builtins.exec, (code,)),
        "eval": Canary(builtins.eval, (f"open({str(canary)!r}, 'w')",)),
        "system": Canary(os.system, (f"touch {canary}",)),
        "open": Canary(open, (str(canary), "w")),
        "touch": Canary(Path.touch, (canary,)),
        "load": Canary(torch.load, (str(canary),)),
    }
    for name, call in calls.items():
        for place, content in {
            "model": {"model": call},
            "inside": {"model": {"fc1.bias": call}},
            "beside": {"model": {}, "note": call},
            "bare": call,
        }.items():
            for form in (True, False):
                buffer = io.BytesIO()
                torch.save(content, buffer, _use_new_zipfile_serialization=form)
                yield f"{name}-{place}-{'zip' if form else 'legacy'}", buffer.getvalue()
            for protocol in (0, 2, 4, 5):
                yield f"{name}-{place}-pickle{protocol}", pickle.dumps(content, protocol)
    yield "stack", f"cposix\nsystem\n(S'touch {canary}'\ntR.".encode()
    yield "builtins", f"cbuiltins\nexec\n(S{code!r}\ntR.".encode()
    buffer = io.BytesIO()
    torch.save(Module(), buffer)
    yield "a whole model", buffer.getvalue()
    buffer = io.BytesIO()
    # torch's format before 0.4.
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name in ("storages", "tensors", "pickle"):
            entry, body = tarfile.TarInfo(name), pickle.dumps(calls["exec"])
            entry.size = len(body)
            archive.addfile(entry, io.BytesIO(body))
    yield "tar", buffer.getvalue()


def test_malicious_pickles_run_nothing(tmp_path, figure):
    canary, network = (
        tmp_path / "canary",
        build_network("Cnn6", {"num_classes": 2, "base_channels": 2}),
    )
    before = {key: value.clone() for key, value in network.state_dict().items()}
    control = pickle.dumps(Canary(open, (str(canary), "w")))
    # This proves that the pickle does run code; otherwise the test could not fail.
    pickle.loads(control).close()
    assert canary.exists()
    canary.unlink()
    count = 0
    for name, content in hostile_pickles(canary):
        for ending, read in (
            (".pth", lambda path: load_panns(network, path)),
            (".safetensors", Classifier.load),
        ):
            path = tmp_path / f"evil{ending}"
            path.write_bytes(content)
            with pytest.raises(ModelError, match="evil") as error:
                read(path)
            assert "\n" not in str(error.value)
            assert "weights_only" not in str(error.value), "recommends the unsafe way"
            assert not canary.exists(), name
            count += 1
    assert all(value.equal(before[key]) for key, value in network.state_dict().items())
    figure("malicious pickles", f"{count} files, 0 canaries ran, 0 weights changed")


def test_checkpoints_that_promise_more_than_they_hold(tmp_path):
    network = build_network("Cnn6", {"num_classes": 2, "base_channels": 2})
    path, state = tmp_path / "a.pth", dict(network.state_dict())
    wrong = {
        "expanded": torch.zeros(1).expand(10**6, 10**6),
        "meta": torch.zeros(4, device="meta"),
        "sparse": torch.zeros(4).to_sparse(),
        "complex": torch.zeros(4, dtype=torch.complex64),
        "text": "0",
        "none": None,
    }
    for name, value in wrong.items():
        torch.save({"model": {**state, "fc1.bias": value}}, path)
        with pytest.raises(
            ModelError, match=r"official format|read safely|fc1\.bias has the shape"
        ):
            load_panns(network, path)
        assert name
    torch.save({"model": {3: torch.zeros(1)}}, path)
    with pytest.raises(ModelError, match="official format"):
        load_panns(network, path)
    torch.save(
        {"model": {**state, "fc1.bias": torch.full_like(state["fc1.bias"], torch.nan)}}, path
    )
    with pytest.raises(ModelError, match=r"fc1\.bias contains NaN"):
        load_panns(network, path)


def test_a_checkpoint_that_unfolds_is_refused(tmp_path):
    """A zip bomb in torch's format: 20 MB of zeros in 20 kB."""
    torch.save({"model": {"fc1.bias": torch.zeros(5_000_000)}}, tmp_path / "a.pth")
    with (
        zipfile.ZipFile(tmp_path / "a.pth") as source,
        zipfile.ZipFile(tmp_path / "b.pth", "w", zipfile.ZIP_DEFLATED) as bomb,
    ):
        for entry in source.infolist():
            bomb.writestr(entry.filename, source.read(entry))
    assert (tmp_path / "b.pth").stat().st_size < 5e4
    with pytest.raises(ModelError, match="is compressed"):
        load_panns(build_network("Cnn6", {"num_classes": 2}), tmp_path / "b.pth")
