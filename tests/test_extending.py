"""The Python code of README.md, docs/methods.md and docs/extending.md runs; links lead to files."""

import re
import shutil
from pathlib import Path

import pytest
import torch
from conftest import small_classifier

import audiointerp as ai

ROOT = Path(__file__).parents[1]
WEIGHTS = Path("weights/esc10_mel_cnn10.safetensors")
LONGEST_EXAMPLE = 20
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("*/*.md"), *ROOT.glob("docs/*/*.md")])


def code_blocks(name):
    """The Python blocks of a Markdown page, in order."""
    return re.findall(r"```python\n(.*?)```", (ROOT / name).read_text(encoding="utf-8"), re.DOTALL)


def run_page(name, namespace):
    """Run the blocks of a page in one namespace and return it."""
    blocks = code_blocks(name)
    assert blocks
    for number, block in enumerate(blocks, 1):
        exec(compile(block, f"{name}, block {number}", "exec"), namespace)
    return namespace


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files(page):
    prose = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", prose)
    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.fixture(scope="module")
def extended():
    """The namespace after docs/extending.md."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return run_page("docs/extending.md", {"__name__": "extending"})


def test_each_extension_takes_few_lines():
    for block in code_blocks("docs/extending.md"):
        lines = [line for line in block.splitlines() if line.strip()]
        assert len(lines) <= LONGEST_EXAMPLE, lines[0]


def test_a_method_of_your_own(extended):
    network, db = extended["network"], extended["transform"](extended["wav"]).db
    values = extended["LevelTimesGradient"](network)(db).values
    assert torch.allclose(values, ai.Saliency(network)(db).values * (db + 100))


def test_a_mask_of_your_own(extended):
    result = extended["result"]
    assert result.mask_name == "strongest_frames"
    assert set(result.mask.unique().tolist()) == {0.0, 1.0}
    assert result.mask.mean().item() == pytest.approx(0.25, abs=0.01)


def test_a_score_of_your_own(extended):
    scores, result = extended["scores"], extended["result"]
    assert set(scores) == {*ai.METRICS, "RETAINED"}
    expected = result.scores["p_in"] / result.scores["p"]
    assert scores["RETAINED"].item() == pytest.approx(expected, rel=1e-4)


def test_a_transform_of_your_own(extended):
    wav, transform = extended["wav"], extended["transform"]
    spec = transform(wav)
    low = (transform.frequencies < 1000)[:, None].float().expand(spec.db.shape[2:])[None, None]
    parts = spec.masked(low).to_wav() + spec.masked(1 - low).to_wav()
    assert torch.allclose(parts, wav, atol=1e-5)


def test_a_data_set_of_your_own(extended):
    rows = extended["rows"]
    assert (rows["status"] == "ok").all()
    assert set(rows["method"]) == {"gradcam", "level_x_gradient"}
    masks = {"bin", "strongest_frames"}
    assert set(rows["mask"]) == masks
    assert set(ai.tables.summarise(rows).index.get_level_values("mask")) == masks
    recordings = rows.groupby("clip")["recording"].first()
    assert recordings.to_dict() == {f"beep-{i}": f"recording-{i // 2}" for i in range(4)}


@pytest.mark.usefixtures("few_shares")
def test_readme(tmp_path, monkeypatch):
    shutil.copytree(ROOT / WEIGHTS.parent, tmp_path / WEIGHTS.parent)
    monkeypatch.chdir(tmp_path)
    clips = ai.Synthetic(folds=(5,), duration=3.0)
    for label, index in (("dog", 0), ("rooster", 8), ("rooster", 9)):
        folder = tmp_path / "clips" / label
        folder.mkdir(parents=True, exist_ok=True)
        ai.save_audio(folder / f"{index}.wav", clips[index][0][None], clips.sample_rate)
    shutil.copy(tmp_path / "clips" / "dog" / "0.wav", tmp_path / "clip.wav")
    own_network = small_classifier(num_classes=2).network
    module, predict = own_models()
    write_small_transformer("my-ast")
    names = {
        "network": own_network,
        "module": module,
        "predict": predict,
        "labels": ("dog", "rooster"),
        "pairs": [(torch.linspace(-0.1, 0.1, 16000), "LABEL_0")],
        "own_pipeline": lambda samples: "LABEL_0",
    }
    namespace = run_page("README.md", names)
    scores = namespace["scores"]
    assert len(scores) == 3 * 2
    assert (scores["status"] == "ok").all()
    parts = namespace["kept"].to_wav() + namespace["removed"].to_wav()
    assert torch.allclose(parts, namespace["wav"], atol=1e-5)
    assert (tmp_path / "kept.wav").is_file()


def own_models():
    """A module on sounds at 16 kHz and a function, both of two classes."""
    layers = torch.nn.Conv1d(1, 8, 400, 160), torch.nn.AdaptiveAvgPool1d(1), torch.nn.Flatten()
    module = torch.nn.Sequential(*layers, torch.nn.Linear(8, 2))

    def predict(wavs):
        with torch.no_grad():
            return module(torch.from_numpy(wavs)[:, None]).softmax(1).numpy()

    return module, predict


def write_small_transformer(folder):
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    bins = {"num_mel_bins": 32, "max_length": 100}
    config = transformers.ASTConfig(**sizes, intermediate_size=16, **bins)
    transformers.ASTForAudioClassification(config).save_pretrained(folder)
    transformers.ASTFeatureExtractor(**bins).save_pretrained(folder)


def test_methods_page():
    classifier = small_classifier()
    namespace = run_page("docs/methods.md", {"classifier": classifier})
    wav = torch.randn(1, 1, 32000, generator=torch.Generator().manual_seed(0)) * 0.1
    result = ai.interpret(classifier, wav, namespace["explainer"])
    assert result.attribution.method == "smooth_ig"
