"""Networks on scaled features: explained, saved and trained from levels in dB."""

import pytest
import torch
from conftest import noise
from torch import nn

import audiointerp as ai
from audiointerp.errors import ModelError
from audiointerp.model import ScaledNetwork, without_scaling

NATURAL = ai.LogMel(scaling=ai.processing.Scaling("natural", offset=1e-6, mean=-4.0, std=2.0))
LABELS = ["a", "b"]


class Levels(nn.Module):
    """Logits: the mean of the features of the lower and of the upper half of the bins."""

    def forward(self, features):
        half = features.shape[2] // 2
        lower, upper = features[:, 0, :half], features[:, 0, half:]
        return torch.stack([lower.mean((1, 2)), upper.mean((1, 2))], 1)


def classifier(network=None, transform=NATURAL):
    return ai.Classifier(network or Levels(), transform, LABELS, duration=1.0)


def test_the_network_sees_scaled_features():
    wav = noise(1.0)
    spectrogram = NATURAL(wav)
    by_hand = ((10 ** (spectrogram.db / 10) + 1e-6).log() + 4) / 2
    decider = classifier()
    assert torch.allclose(decider.logits(spectrogram.db), Levels()(by_hand), atol=1e-5)
    assert isinstance(decider.network, ScaledNetwork)
    assert isinstance(without_scaling(decider.network), Levels)


def test_explainers_see_levels_and_give_the_gradient_by_hand():
    spectrogram = NATURAL(noise(1.0))
    values = ai.Saliency(classifier().network)(spectrogram.db, target=1).values
    power = 10 ** (spectrogram.db / 10)
    slope = torch.log(torch.tensor(10.0)) / 10 * power / (power + 1e-6) / 2
    half, frames = 32, spectrogram.db.shape[-1]
    expected = torch.zeros_like(slope)
    expected[:, :, half:] = slope[:, :, half:] / (half * frames)
    assert torch.allclose(values, expected, rtol=1e-4, atol=1e-9)


def test_masks_and_sounds_are_those_of_the_levels():
    result = ai.interpret(classifier(), noise(1.0), "saliency", target="b")
    assert torch.allclose(result.kept + result.removed, result.wav, atol=1e-5)
    assert result.scores["p_in"] == pytest.approx(
        float(classifier().probabilities(NATURAL(result.wav).masked(result.mask).db)[0, 1]),
        abs=1e-5,
    )


@pytest.mark.parametrize("dtype", [torch.float16, torch.float64])
def test_other_number_types(dtype):
    network = nn.Sequential(nn.Flatten(), nn.Linear(64 * 101, 2)).to(dtype)
    decider = classifier(network)
    assert decider.logits(NATURAL(noise(1.0)).db).isfinite().all()
    values = ai.interpret(decider, noise(1.0), "saliency").attribution.values
    assert values.isfinite().all()
    assert values.abs().max() > 0


def test_it_is_saved_and_trained(tmp_path):
    network = ai.Cnn6(2, base_channels=4)
    decider = classifier(network)
    decider.save(tmp_path / "a.safetensors")
    loaded = ai.Classifier.load(tmp_path / "a.safetensors")
    db = NATURAL(noise(1.0)).db
    assert torch.equal(loaded.logits(db), decider.logits(db))
    assert loaded.transform == NATURAL
    with pytest.raises(ModelError, match="Levels cannot be saved"):
        classifier().save(tmp_path / "b.safetensors")
    clips = ai.EvenSubset(ai.Synthetic((1,), sample_rate=32000, duration=3.0), 4)
    settings = ai.FitSettings(epochs=1)
    (outcome,) = ai.fit.train_classifier(
        (clips, clips, clips), NATURAL, "Cnn6", base_channels=2, settings=settings
    )
    trained = outcome.classifier
    features = trained.transform.scaled(trained.transform(clips[0][0][None]).db)
    inner = without_scaling(trained.network)
    logits = trained.logits(trained.transform(clips[0][0][None]).db)
    assert torch.allclose(logits, inner(features), atol=1e-5)
    # Batch normalisation saw the scaled features: a few units, not tens of dB.
    assert inner.bn0.running_mean.abs().max() < 5
