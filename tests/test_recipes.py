"""The recipes of docs/recipes/ run, each in a folder with a clip and labelled clips."""

import re
import shutil
from pathlib import Path

import pytest
import torch

import audiointerp as ai

# The number of shares in a page is not what is tested here.
pytestmark = pytest.mark.usefixtures("few_shares")

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "recipes"
PAGES = sorted(path.stem for path in FOLDER.glob("*.md") if path.stem != "index")
CLIPS_OF_A_CLASS = 3


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    """A folder with clip.wav, a siren, and clips/CLASS/*.wav."""
    folder = tmp_path_factory.mktemp("sounds")
    clips = ai.Synthetic(folds=(5,), duration=3.0)
    ai.save_audio(folder / "clip.wav", clips[0][0][None], clips.sample_rate)
    for label in ("siren", "rain"):
        (folder / "clips" / label).mkdir(parents=True)
        first = 8 * clips.labels.index(label)
        for index in range(first, first + CLIPS_OF_A_CLASS):
            wav = clips[index][0][None, :, : 2 * clips.sample_rate]
            ai.save_audio(folder / "clips" / label / f"{index}.wav", wav, clips.sample_rate)
    return folder


@pytest.fixture
def run(sounds, tmp_path, monkeypatch, capsys):
    """Run a recipe in a copy of the folder; return its names and what it printed."""
    shutil.copytree(sounds, tmp_path / "work")
    monkeypatch.chdir(tmp_path / "work")

    def run_page(name):
        text = (FOLDER / f"{name}.md").read_text(encoding="utf-8")
        namespace = {"__name__": name}
        blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
        assert blocks
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            for block in blocks:
                exec(compile(block, f"{name}.md", "exec"), namespace)
        return namespace, capsys.readouterr().out

    return run_page


def test_there_are_ten_and_each_is_run_and_listed():
    assert len(PAGES) == 10
    listed = re.findall(r"\]\(([\w-]+)\.md\)", (FOLDER / "index.md").read_text(encoding="utf-8"))
    assert sorted(listed) == PAGES
    text = Path(__file__).read_text(encoding="utf-8")
    assert all(f'run("{name}")' in text for name in PAGES)


def test_hear_one_clip(run):
    names, printed = run("hear-one-clip")
    assert printed.startswith("siren ")
    result = names["result"]
    assert str(result.verdict) in printed
    assert Path("explanation/index.html").is_file()
    sounds = result.sounds
    assert torch.allclose(sounds.kept + sounds.removed, sounds.original, atol=1e-5)


def test_rather_than(run):
    names, printed = run("rather-than")
    assert printed == "siren rather than alarm\n"
    assert names["result"].attribution.against is not None


def test_own_model(run):
    names, printed = run("own-model")
    check, *_, decision = printed.splitlines()
    assert check == "1 clip: no labels, and no reference"
    assert decision.split()[0] in ("low", "high")
    assert names["classifier"].takes_sounds


def test_hugging_face(run):
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    bins = {"num_mel_bins": 32, "max_length": 100}
    config = transformers.ASTConfig(**sizes, intermediate_size=16, **bins)
    transformers.ASTForAudioClassification(config).save_pretrained("my-ast")
    transformers.ASTFeatureExtractor(**bins).save_pretrained("my-ast")
    assert run("hugging-face")[1].startswith("LABEL_")


def test_own_clips(run):
    rows = run("own-clips")[0]["rows"]
    assert (rows["status"] == "ok").all()
    assert len(rows) == 2 * CLIPS_OF_A_CLASS
    assert rows["FF_pixelwise"].notna().all()


def test_train(run):
    names, _ = run("train")
    assert set(names["classifier"].labels) == {"rain", "siren"}


def test_compare_methods(run):
    names, printed = run("compare-methods")
    differences = names["differences"]
    assert {line.row for line in differences} == {"saliency", "gradcam"}
    assert all(line.low <= line.mean <= line.high for line in differences)
    assert all(name in printed for name in ("saliency", "gradcam", "FF", "FidIn"))
    assert Path("forest.png").is_file()


def test_tables(run):
    names, _ = run("tables")
    assert len(names["means"]) == 4
    assert names["against"].loc["random", ("FF", "mean")] == pytest.approx(0, abs=0.2)
    assert Path("means.csv").is_file()


def test_page(run):
    printed = run("page")[1]
    assert printed == "page/index.html\n"
    page = Path("page/index.html").read_text(encoding="utf-8")
    assert page.count('class="audiointerp clip"') == 2


def test_own_method(run):
    names, printed = run("own-method")
    assert printed.startswith("loudest_frames ")
    assert names["result"].mask.mean().item() == pytest.approx(0.1, abs=0.01)
