"""The networks that come with the library are opened by name, from a clone and from a wheel."""

from fnmatch import fnmatch
from pathlib import Path

import pytest
import torch

import audiointerp as ai
from audiointerp.errors import ArgumentError, ModelError
from audiointerp.model import SHIPPED, shipped, weights_path

ROOT = Path(ai.__file__).parents[1]


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """An installation whose package has no weights beside it."""
    module = tmp_path / "site-packages" / "audiointerp" / "model" / "shipped.py"
    monkeypatch.setattr(shipped, "__file__", str(module))
    shipped._shipped_file.cache_clear()
    yield tmp_path
    shipped._shipped_file.cache_clear()


@pytest.mark.parametrize("name", SHIPPED)
def test_a_name_opens_its_file(name):
    classifier = ai.load(name)
    same = ai.Classifier.load(ROOT / "weights" / SHIPPED[name])
    assert classifier.labels == same.labels
    weights, expected = classifier.network.state_dict(), same.network.state_dict()
    assert weights.keys() == expected.keys()
    assert all(torch.equal(weights[key], expected[key]) for key in expected)


def test_every_network_in_weights_has_a_name():
    files = {path.name for path in (ROOT / "weights").glob("*.safetensors")}
    assert files == set(SHIPPED.values())


def test_a_path_opens_its_file(tmp_path):
    ai.load("synthetic-mel").save(tmp_path / "mine.safetensors")
    assert "siren" in ai.load(tmp_path / "mine.safetensors").labels
    with pytest.raises(ModelError, match=r"other\.safetensors: no such weights file"):
        ai.load(tmp_path / "other.safetensors")


def test_an_explicit_path_is_a_path_though_it_ends_in_the_name_of_a_network(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path in ("./esc10-mel", Path("esc10-mel"), f"{tmp_path}/esc10-mel"):
        assert weights_path(path).resolve() == tmp_path.resolve() / "esc10-mel"
        with pytest.raises(ModelError, match="no such weights file"):
            ai.load(path)
    ai.load("synthetic-mel").save(tmp_path / "mine.safetensors")
    (tmp_path / "mine.safetensors").rename("esc10-mel")
    assert "siren" in ai.load("./esc10-mel").labels
    # The name itself means the network that comes with the library.
    assert "siren" not in ai.load("esc10-mel").labels


@pytest.mark.parametrize("thing", [None, 3, b"esc10-mel", ai.Classifier])
def test_what_is_neither_a_name_nor_a_path_is_refused(thing):
    with pytest.raises(ArgumentError, match=r"the name of a network \(esc10-mel, .* a file, not"):
        ai.load(thing)


def test_an_unknown_name_is_refused_with_the_one_that_was_meant():
    with pytest.raises(ModelError, match="did you mean 'esc10-mel'"):
        ai.load("esc10_mel")


def test_a_wheel_has_the_files_in_share(elsewhere, monkeypatch):
    class Installed:
        name = "esc10_mel_cnn10.safetensors"

        def locate(self):
            return ROOT / "weights" / self.name

    class Distribution:
        files = (Installed(),)

    monkeypatch.setattr(shipped, "distribution", lambda name: Distribution())
    assert weights_path("esc10-mel") == ROOT / "weights" / "esc10_mel_cnn10.safetensors"
    with pytest.raises(ModelError, match="this installation has no such weights"):
        weights_path("esc10-stft")


def test_an_installation_into_a_folder_has_them_in_its_share(elsewhere, monkeypatch):
    share = elsewhere / "site-packages" / "share" / "audiointerp" / "weights"
    share.mkdir(parents=True)
    file = share / "esc10_mel_cnn10.safetensors"
    file.touch()
    assert weights_path("esc10-mel") == file


def test_the_wheel_is_told_to_take_them():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert '"share/audiointerp/weights" = ["weights/*_cnn10*.safetensors"' in text
    assert all(fnmatch(name, "*_cnn10*.safetensors") for name in SHIPPED.values())
