"""The code of docs/any-model.md runs."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torchaudio
from torch import nn

import audiointerp as ai

PAGE = Path(__file__).parents[1] / "docs" / "any-model.md"
RATE = 16000


def blocks_of(page):
    """The Python blocks of the page, in order."""
    parts = page.read_text(encoding="utf-8").split("```python\n")[1:]
    return [part.split("```")[0] for part in parts]


def run_blocks(selected, namespace):
    for block in selected:
        exec(compile(block, str(PAGE), "exec"), namespace)
    return namespace


def louder_half(wavs):
    energy = (wavs.reshape(len(wavs), 2, -1) ** 2).sum(2) + 1e-9
    return energy / energy.sum(1, keepdims=True)


class NaturalLogMel(nn.Module):
    """What the transform of the page computes, by torchaudio and as natural logarithms."""

    def __init__(self):
        super().__init__()
        self.mel = torchaudio.transforms.MelSpectrogram(
            RATE, 512, hop_length=128, n_mels=64, f_min=50.0, f_max=8000.0
        )

    def forward(self, wav):
        return self.mel(wav)[:, None].clamp_min(1e-10).log()


@pytest.fixture
def namespace(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    layers = nn.Conv1d(1, 8, 400, 160), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten()
    wav = torch.linspace(0.01, 0.3, RATE) * torch.randn(RATE)
    return {
        "ai": ai,
        "torch": torch,
        "network": ai.Cnn6(2, base_channels=4),
        "own_network": ai.Cnn6(2, base_channels=4),
        "front_end": NaturalLogMel(),
        "module": nn.Sequential(*layers, nn.Linear(8, 2)),
        "predict": louder_half,
        "own_pipeline": lambda samples: louder_half(samples[None])[0],
        "labels": ["first", "second"],
        "wav": wav[None, None],
        "clips": [(wav.numpy(), "second"), (np.ascontiguousarray(wav.numpy()[::-1]), "first")],
    }


def test_the_three_ways_that_need_no_package(namespace):
    blocks = [block for block in blocks_of(PAGE) if "from_transformers" not in block]
    assert len(blocks) == 6
    seen = []
    for block in blocks:
        run_blocks([block], namespace)
        seen.append(namespace["classifier"])
        assert namespace["result"].kept.shape == (1, 1, RATE)
    assert Path("kept.wav").exists()
    assert len(set(map(id, seen))) == 5
    assert namespace["check"].accuracy == 1


def test_the_way_of_hugging_face(namespace):
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    config = transformers.ASTConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        num_mel_bins=32,
        max_length=100,
    )
    transformers.ASTForAudioClassification(config).save_pretrained("my-ast")
    transformers.ASTFeatureExtractor(num_mel_bins=32, max_length=100).save_pretrained("my-ast")
    blocks = [block for block in blocks_of(PAGE) if "from_transformers" in block]
    assert len(blocks) == 1
    run_blocks(blocks, namespace)
    assert namespace["result"].kept.shape == (1, 1, RATE)
