import json

import pytest
import torch
from conftest import small_classifier
from safetensors.torch import save_file
from torch import nn

from audiointerp.errors import ArgumentError, ModelError
from audiointerp.model.checkpoint import load_panns
from audiointerp.model.classifier import Classifier
from audiointerp.model.panns import NETWORKS, Cnn10, build_network, initialise
from audiointerp.processing.spectrogram import LogMel, LogSTFT

# PANNs' table has 4.8, 5.2 and 80.8 M with 527 classes.
OFFICIAL_SIZES = {"Cnn6": 4.57e6, "Cnn10": 4.96e6, "Cnn14": 79.7e6}


def official_checkpoint(name, path, change=None):
    """Write a file in the official format from its description, not from our networks' state."""
    blocks, kernel = (6 if name == "Cnn14" else 4), (5 if name == "Cnn6" else 3)
    generator = torch.Generator().manual_seed(0)
    state = {
        "spectrogram_extractor.stft.conv_real.weight": torch.zeros(513, 1, 1024),
        "spectrogram_extractor.stft.conv_imag.weight": torch.zeros(513, 1, 1024),
        "logmel_extractor.melW": LogMel(mel_scale="slaney").filters.T.float(),
    }

    def norm(prefix, width):
        state.update(
            {
                f"{prefix}.{key}": torch.rand(width, generator=generator)
                for key in ("weight", "bias")
            }
        )
        state.update(
            {
                f"{prefix}.{key}": torch.rand(width, generator=generator)
                for key in ("running_mean", "running_var")
            }
        )
        state[f"{prefix}.num_batches_tracked"] = torch.tensor(7)

    norm("bn0", 64)
    width = 1
    for number in range(1, blocks + 1):
        outputs = 64 * 2 ** (number - 1)
        for conv in (1,) if name == "Cnn6" else (1, 2):
            inputs = width if conv == 1 else outputs
            weight = torch.randn(outputs, inputs, kernel, kernel, generator=generator) * 0.01
            state[f"conv_block{number}.conv{conv}.weight"] = weight
            norm(f"conv_block{number}.bn{conv}", outputs)
        width = outputs
    state.update({"fc1.weight": torch.randn(width, width) * 0.01, "fc1.bias": torch.randn(width)})
    state.update(
        {"fc_audioset.weight": torch.randn(527, width), "fc_audioset.bias": torch.randn(527)}
    )
    if change:
        change(state)
    torch.save({"iteration": 600000, "model": state}, path)
    return state


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("bins", [64, 257])
def test_official_checkpoints_load(name, bins, tmp_path):
    state = official_checkpoint(name, tmp_path / "official.pth")
    network = build_network(name, {"num_classes": 50, "num_bins": bins})
    count = sum(parameter.numel() for parameter in network.parameters())
    assert count == pytest.approx(OFFICIAL_SIZES[name], rel=0.01)
    fresh = {key: value.clone() for key, value in network.state_dict().items()}
    loaded = load_panns(network, tmp_path / "official.pth", LogMel() if bins == 64 else LogSTFT())
    for key, value in network.state_dict().items():
        taken = not key.startswith("head.") and (bins == 64 or not key.startswith("bn0."))
        assert value.equal(state[key] if taken else fresh[key]), key
        assert (key in loaded.loaded) == taken
        assert (key in loaded.new) != taken
    assert {"fc_audioset.weight", "logmel_extractor.melW"} <= set(loaded.dropped)
    if bins == 64:
        # The difference between HTK and Slaney filters.
        assert loaded.filter_difference == pytest.approx(28.08, abs=0.01)
        same = load_panns(network, tmp_path / "official.pth", LogMel(mel_scale="slaney"))
        assert same.filter_difference < 1e-3
    else:
        assert loaded.filter_difference is None
    assert network(torch.randn(1, 1, bins, 64)).shape == (1, 50)


def fine_tuned(classes, prefix):
    """Rename as PANNs' Transfer_* does, in nn.DataParallel or not; add its head."""

    def change(state):
        renamed = {f"{prefix}base.{name}": tensor for name, tensor in state.items()}
        state.clear()
        state.update(renamed)
        weight = torch.randn(classes, 512, generator=torch.Generator().manual_seed(1))
        state[f"{prefix}fc_transfer.weight"] = weight
        state[f"{prefix}fc_transfer.bias"] = torch.arange(classes).float()

    return change


@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("classes", [10, 50, 527])
def test_fine_tuned_checkpoints_load_with_their_head(prefix, classes, tmp_path):
    state = official_checkpoint("Cnn10", tmp_path / "a.pth", fine_tuned(10, prefix))
    network = build_network("Cnn10", {"num_classes": classes})
    fresh = network.head.weight.clone()
    loaded = load_panns(network, tmp_path / "a.pth", LogMel())
    for name in ("bn0.running_mean", "conv_block4.conv2.weight", "fc1.bias"):
        assert network.state_dict()[name].equal(state[f"{prefix}base.{name}"])
    assert loaded.filter_difference == pytest.approx(28.08, abs=0.01)
    heads = {name for name in loaded.dropped if name.startswith("fc_")}
    if classes == 10:
        assert loaded.head == "fc_transfer"
        assert loaded.new == ()
        assert {"head.weight", "head.bias"} <= set(loaded.loaded)
        assert network.head.weight.equal(state[f"{prefix}fc_transfer.weight"])
        assert network.head.bias.tolist() == list(range(10))
        assert heads == {"fc_audioset.weight", "fc_audioset.bias"}
    else:
        # The body was fine-tuned without the AudioSet head, so not even 527 classes get it.
        assert loaded.head is None
        assert loaded.new == ("head.bias", "head.weight")
        assert network.head.weight.equal(fresh)
        assert len(heads) == 4


def test_527_classes_keep_the_audioset_head(tmp_path):
    state = official_checkpoint("Cnn10", tmp_path / "a.pth")
    network = build_network("Cnn10", {"num_classes": 527})
    loaded = load_panns(network, tmp_path / "a.pth")
    assert loaded.head == "fc_audioset"
    assert loaded.new == ()
    assert network.head.weight.equal(state["fc_audioset.weight"])
    assert network.head.bias.equal(state["fc_audioset.bias"])
    assert not any(name.startswith("fc_audioset") for name in loaded.dropped)
    assert load_panns(build_network("Cnn10", {"num_classes": 526}), tmp_path / "a.pth").head is None


def test_prefixes_that_hide_two_networks_are_refused(tmp_path):
    def twice(state):
        state["module.fc1.bias"] = torch.zeros(512)

    official_checkpoint("Cnn10", tmp_path / "a.pth", twice)
    network = build_network("Cnn10", {"num_classes": 3})
    with pytest.raises(ModelError, match=r"has several tensors for fc1\.bias"):
        load_panns(network, tmp_path / "a.pth")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("conv_block2.bn1.weight"), "conv_block2.bn1.weight is missing"),
        (
            lambda state: state.update({"fc1.bias": torch.zeros(3)}),
            r"fc1.bias has the shape \(3,\) instead of \(512,\)",
        ),
        (
            lambda state: state.update({"conv_block9.weight": torch.zeros(3)}),
            "conv_block9.weight is unknown",
        ),
    ],
)
def test_a_checkpoint_that_does_not_fit_names_the_key_and_changes_nothing(
    change, message, tmp_path
):
    official_checkpoint("Cnn10", tmp_path / "official.pth", change)
    network = build_network("Cnn10", {"num_classes": 3})
    before = {key: value.clone() for key, value in network.state_dict().items()}
    with pytest.raises(ModelError, match=message):
        load_panns(network, tmp_path / "official.pth")
    assert all(value.equal(before[key]) for key, value in network.state_dict().items())


class Canary:
    def __reduce__(self):
        return (print, ("the canary ran",))


def test_unsafe_and_foreign_files_are_refused(tmp_path, capsys):
    network = build_network("Cnn6", {"num_classes": 3})
    torch.save({"model": Canary()}, tmp_path / "evil.pth")
    torch.save({"weights": {}}, tmp_path / "other.pth")
    (tmp_path / "text.pth").write_text("no checkpoint")
    (tmp_path / "empty.pth").touch()
    for name in ("evil.pth", "other.pth", "text.pth", "empty.pth", "missing.pth"):
        with pytest.raises(ModelError, match=name):
            load_panns(network, tmp_path / name)
    assert "canary" not in capsys.readouterr().out


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_take_any_length_and_use_each_module_once(name):
    network = build_network(name, {"num_classes": 4, "num_bins": 40, "base_channels": 2})
    initialise(network, 0)
    network.eval()
    calls: dict[nn.Module, int] = {}
    leaves = [module for module in network.modules() if not list(module.children())]
    for leaf in leaves:
        leaf.register_forward_hook(
            lambda module, *_: calls.update({module: calls.get(module, 0) + 1})
        )
    for frames in (network.shrinkage, 100, 313):
        calls.clear()
        assert network(torch.randn(2, 1, 40, frames)).shape == (2, 4)
        assert sorted(calls.values()) == [1] * len(leaves)
    with pytest.raises(ArgumentError, match="40"):
        network(torch.randn(2, 1, 41, 100))
    with pytest.raises(ArgumentError, match="frames"):
        network(torch.randn(2, 1, 40, network.shrinkage - 1))


def test_time_pooling_is_max_plus_mean():
    network = build_network("Cnn10", {"num_classes": 4, "base_channels": 2, "num_bins": 16}).eval()
    seen = {}
    network.conv_block4.register_forward_hook(
        lambda module, inputs, output: seen.update(last=output)
    )
    network.fc1.register_forward_hook(lambda module, inputs, output: seen.update(pooled=inputs[0]))
    for frames in (32, 100):
        network(torch.randn(2, 1, 16, frames))
        mean = seen["last"].mean(3)
        assert torch.allclose(seen["pooled"], mean.amax(2) + mean.mean(2), atol=1e-6)


def test_initialise_is_seeded_and_leaves_the_random_state():
    one, two = (build_network("Cnn6", {"num_classes": 2, "base_channels": 2}) for _ in range(2))
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    initialise(one, 5)
    assert torch.rand(1).equal(expected)
    initialise(two, 5)
    assert all(a.equal(b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    with pytest.raises(ArgumentError, match="Cnn7"):
        build_network("Cnn7", {})
    with pytest.raises(ArgumentError, match="depth"):
        build_network("Cnn6", {"num_classes": 2, "depth": 3})


def test_classifier_survives_a_round_trip(classifier, tmp_path):
    classifier.training["seed"] = 3
    classifier.save(tmp_path / "a.safetensors")
    loaded = Classifier.load(tmp_path / "a.safetensors")
    wav = torch.randn(2, 1, 32000)
    db = classifier.transform(wav).db
    assert loaded.probabilities(db).equal(classifier.probabilities(db))
    assert loaded.probabilities(db).sum(1).tolist() == pytest.approx([1, 1])
    assert (loaded.labels, loaded.transform, loaded.duration) == (
        classifier.labels,
        classifier.transform,
        1.0,
    )
    assert loaded.training == {"seed": 3}
    assert [path.name for path in tmp_path.iterdir()] == ["a.safetensors"]


def test_labels_by_name_or_number(classifier):
    assert classifier.target("label1") == classifier.target(1) == classifier.target("1") == 1
    for wrong in ("dog", 3, -1, "-1"):
        with pytest.raises(ArgumentError, match="label0, label1, label2"):
            classifier.target(wrong)
    with pytest.raises(ArgumentError, match="warp"):
        classifier.to("warp")


def test_files_that_are_no_classifier_are_named(classifier, tmp_path):
    with pytest.raises(ModelError, match="no such weights file"):
        Classifier.load(tmp_path / "none.safetensors")
    (tmp_path / "text.safetensors").write_text("nothing")
    with pytest.raises(ModelError, match="not a safetensors file"):
        Classifier.load(tmp_path / "text.safetensors")
    save_file({"a": torch.zeros(1)}, tmp_path / "plain.safetensors")
    with pytest.raises(ModelError, match="not how to build"):
        Classifier.load(tmp_path / "plain.safetensors")
    classifier.save(tmp_path / "good.safetensors")
    record = {
        "network": "Cnn6",
        "settings": classifier.network.settings,
        "transform": LogMel().to_dict(),
        "labels": ["a"],
        "duration": 5.0,
        "training": {},
    }
    state = classifier.network.state_dict()
    save_file(state, tmp_path / "other.safetensors", metadata={"audiointerp": json.dumps(record)})
    with pytest.raises(
        ModelError, match=r"does not fit Cnn6: .*conv_block1.conv1.weight has the shape"
    ):
        Classifier.load(tmp_path / "other.safetensors")
    for broken in ("{", json.dumps({"network": "Cnn6"}), json.dumps([1])):
        save_file(state, tmp_path / "broken.safetensors", metadata={"audiointerp": broken})
        with pytest.raises(ModelError, match="does not fit"):
            Classifier.load(tmp_path / "broken.safetensors")
    mine = Classifier(nn.Sequential(nn.Flatten(), nn.Linear(64 * 101, 4)), LogMel(), list("abc"))
    with pytest.raises(ModelError, match=r"finite logits \(1, 3\)"):
        mine.probabilities(torch.zeros(1, 1, 64, 101))
    with pytest.raises(ModelError, match="Sequential"):
        mine.save(tmp_path / "mine.safetensors")


class OtherCnn10(Cnn10):
    def forward(self, db):
        return 2 * super().forward(db)


OtherNamedCnn10 = type("Cnn10", (OtherCnn10,), {})


class OtherMel(LogMel):
    pass


@pytest.mark.parametrize("kind", [OtherCnn10, OtherNamedCnn10])
def test_a_subclass_of_a_network_is_refused_before_anything_is_written(kind, tmp_path):
    """A file could only rebuild the base class: another network, or a file that load refuses."""
    mine = Classifier(kind(3, base_channels=2), LogMel(), list("abc"))
    with pytest.raises(ModelError, match=rf"{kind.__name__} cannot be saved.*no subclasses"):
        mine.save(tmp_path / "mine.safetensors")
    assert not list(tmp_path.iterdir())


def test_a_subclass_of_a_transform_is_refused_before_anything_is_written(classifier, tmp_path):
    mine = Classifier(classifier.network, OtherMel(), classifier.labels)
    with pytest.raises(ModelError, match="OtherMel cannot be saved, only LogMel, LogSTFT"):
        mine.save(tmp_path / "mine.safetensors")
    assert not list(tmp_path.iterdir())


def test_what_load_would_refuse_is_not_saved(classifier, tmp_path):
    path = tmp_path / "a.safetensors"
    with pytest.raises(ModelError, match="the transform gives 40 bins, the network takes 64"):
        Classifier(classifier.network, LogMel(n_mels=40), list("abc")).save(path)
    named = {"folder": tmp_path}
    with pytest.raises(ModelError, match="JSON cannot represent"):
        Classifier(classifier.network, LogMel(), list("abc"), training=named).save(path)
    nn.init.constant_(classifier.network.head.bias, torch.nan)
    with pytest.raises(ModelError, match=r"head\.bias contains NaN"):
        classifier.save(path)
    assert not list(tmp_path.iterdir())


class ReturnsDict(nn.Module):
    def forward(self, db):
        return {"clipwise_output": db.mean((1, 2, 3))}


def test_a_classifier_is_checked_when_it_is_made(classifier):
    network = classifier.network
    for labels, duration, word in [
        (["a", "b"], 5.0, "do not fit"),
        (["a", "a", "b"], 5.0, "labels"),
        ([], 5.0, "labels"),
        ([1, 2, 3], 5.0, "labels"),
        (list("abc"), 0.0, "duration"),
        (list("abc"), float("nan"), "duration"),
    ]:
        with pytest.raises(ArgumentError, match=word):
            Classifier(network, LogMel(), labels, duration)
    with pytest.raises(ArgumentError, match="not of Cnn10 and LogMel"):
        Classifier(network, LogMel, list("abc"))
    with pytest.raises(ModelError, match="as one tensor, not a dict"):
        Classifier(ReturnsDict(), LogMel(), list("abc")).probabilities(torch.zeros(1, 1, 64, 101))
    assert repr(classifier).startswith("Classifier(Cnn10, LogMel(sample_rate=32000")
    with pytest.raises(ArgumentError, match="num_bins=8"):
        build_network("Cnn10", {"num_classes": 3, "num_bins": 8})
    nn.init.constant_(network.head.bias, torch.nan)
    with pytest.raises(ModelError, match="NaN"):
        classifier.probabilities(torch.zeros(1, 1, 64, 101))


def test_stft_classifier():
    assert small_classifier(transform=LogSTFT()).probabilities(
        torch.randn(1, 1, 257, 63)
    ).shape == (1, 3)


@pytest.mark.parametrize("weights", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("name", ["Cnn6", "Cnn10", "Cnn14"])
def test_the_layout_of_activations_is_the_faster_one_and_changes_nothing(
    name, weights, monkeypatch
):
    network = build_network(name, {"num_classes": 3, "base_channels": 4}).eval()
    initialise(network, seed=0)
    db = -80 * torch.rand(2, 1, 64, 100, generator=torch.Generator().manual_seed(0))
    network.to(memory_format=weights)
    layouts = []
    network.conv_block2.register_forward_pre_hook(
        lambda module, inputs: layouts.append(
            inputs[0].is_contiguous(memory_format=torch.channels_last)
        )
    )
    with torch.no_grad():
        logits = network(db)
        monkeypatch.setattr(type(network), "prefers_channels_last", name == "Cnn14")
        assert torch.allclose(network(db), logits, rtol=1e-5, atol=1e-5)
    is_last = weights == torch.channels_last
    assert layouts == [is_last or name != "Cnn14", is_last or name == "Cnn14"]
