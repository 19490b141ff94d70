"""Models that do what few expect: one clear line for a mistake, the right answer for the rest."""

import numpy as np
import pytest
import torch
from conftest import noise
from torch import nn

import audiointerp as ai
from audiointerp.errors import ArgumentError, AudioInterpError, ModelError

RATE = 16000
WAV = noise(1.0, RATE)
SETTINGS = {"sample_rate": RATE, "duration": 1.0, "normalize": "none"}


def log_energies(wav):
    """The logarithms of the energies of the first and of the second half of sounds (N, L)."""
    first, second = wav.square().chunk(2, -1)
    return torch.stack([first.mean(-1), second.mean(-1)], -1).clamp_min(1e-12).log()


class Energies(nn.Module):
    """Logits of sounds (N, L) by their energies in time, changed before and after."""

    def __init__(self, before=None, after=None):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(2))
        self.before = before or (lambda wav: wav)
        self.after = after or (lambda logits: logits)

    def forward(self, wav):
        return self.after(log_energies(self.before(wav)) * self.scale)


def waveform(module, labels=("first", "second"), **arguments):
    return ai.Classifier.from_waveform(module, labels, **SETTINGS | arguments)


def function(predict, labels=("first", "second"), **arguments):
    return ai.Classifier.from_function(predict, labels, **SETTINGS | arguments)


def probabilities_of(wavs):
    """A function from sounds (N, L) to two probabilities."""
    return log_energies(torch.tensor(wavs)).softmax(-1).numpy()


def with_weights(value):
    module = Energies()
    module.scale.data[0] = value
    return module


class OneAtATime(Energies):
    def forward(self, wav):
        if len(wav) != 1:
            raise ValueError("one sound, please")
        return super().forward(wav)


def checked(results, module=None, wav=WAV[0, 0]):
    return waveform(module or Energies()).check([(wav, "first")], reference=results)


MISTAKES = {
    "labels in no order": (
        lambda: waveform(Energies(), {"first", "second"}),
        "labels are a list of names in the order of the outputs, .* not a set, which has no order",
    ),
    "labels by number": (
        lambda: waveform(Energies(), {0: "first", 1: "second"}),
        r"labels are a list of names .* not a dict; give list\(labels.values\(\)\)",
    ),
    "a label without a name": (
        lambda: waveform(Energies(), ["first", ""]),
        r"labels must be the different names .* not \['first', ''\]",
    ),
    "duration in hours": (
        lambda: waveform(Energies(), duration=1 / 36000),
        r"duration=2\.7\d+e-05 is less than one sample at 16000 Hz; give seconds",
    ),
    "rate in kHz": (
        lambda: waveform(Energies(), sample_rate=16),
        "sample_rate=16 is in Hz, not in kHz, e.g. 16000",
    ),
    "weights without a shape": (
        lambda: waveform(nn.LazyLinear(2)),
        r"the weights of LazyLinear have no shape yet; run it once, e\.g\. "
        r"module\(torch\.zeros\(1, 16000\)\)",
    ),
    "weights that are NaN": (
        lambda: ai.interpret(waveform(with_weights(torch.nan)), WAV, "saliency"),
        "finite logits .* with NaN or infinite values; its weights scale have such values, too",
    ),
    "weights that are infinite": (
        lambda: ai.interpret(waveform(with_weights(torch.inf)), WAV, "occlusion"),
        "its weights scale have such values, too",
    ),
    "silence divided by its level": (
        lambda: waveform(Energies(lambda wav: wav / wav.std(-1, keepdim=True))).check(
            [(torch.zeros(RATE), "first")]
        ),
        "finite logits .* for a window of silence: does it divide by a level or a standard "
        r"deviation\? Add a small number there, e\.g\. x / \(x\.std\(\) \+ 1e-6\)",
    ),
    "class numbers for probabilities": (
        lambda: ai.interpret(function(lambda wavs: np.zeros(len(wavs))), WAV, "occlusion"),
        "one number for a clip, but output='probabilities' .* one for each label; .* "
        "output='binary_probability'",
    ),
    "class numbers for logits": (
        lambda: ai.interpret(waveform(Energies(None, lambda y: y[:, 0]), shape="NL"), WAV, "lime"),
        r"one for each label, not \(\d, 1\); one number per clip of two labels is output='binary'",
    ),
    "a logit for a probability": (
        lambda: ai.interpret(
            function(lambda wavs: np.full(len(wavs), -3.0), output="binary_probability"),
            WAV,
            "lime",
        ),
        "says that they are probabilities; if the outputs are logits, give output='binary'",
    ),
    "logits for independent probabilities": (
        lambda: ai.interpret(
            waveform(Energies(), output="independent_probabilities"), WAV, "occlusion"
        ),
        "says that they are probabilities; if the outputs are logits, give output='sigmoid'",
    ),
    "a list of two tensors": (
        lambda: ai.interpret(waveform(Energies(None, lambda y: [y, y])), WAV, "saliency"),
        r"the outputs of Energies must be one tensor \(N, C\), .* \(it returns 2 values\); name it",
    ),
    "a model of one sound at a time": (
        lambda: ai.interpret(waveform(OneAtATime()), WAV, "saliency"),
        "OneAtATime takes one sound, but not two at once: ValueError: one sound, please; "
        "give max_batch=1",
    ),
    "NaN in a clip to check": (
        lambda: waveform(Energies()).check([(WAV[0, 0], "first"), (WAV[0, 0] * np.nan, "first")]),
        "clip 1: the sound holds NaN or infinite samples",
    ),
    "a reference that returns nothing": (
        lambda: checked(lambda samples: None),
        "a result of the reference is a label, a class number or 2 probabilities, not None",
    ),
    "a reference that returns a dictionary": (
        lambda: checked(lambda samples: {"first": 0.3, "second": 0.7}),
        "a class number or 2 probabilities, not {'first': 0.3, 'second': 0.7}",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_ends_in_one_clear_line(mistake):
    use, words = MISTAKES[mistake]
    with pytest.raises(AudioInterpError, match=words) as refused:
        use()
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 500


def centred_in_place(wav):
    wav -= wav.mean(-1, keepdim=True)
    wav *= 2
    return wav


def centred(wav):
    return 2 * (wav - wav.mean(-1, keepdim=True))


@pytest.mark.parametrize("method", ["saliency", "occlusion"])
def test_a_model_that_changes_its_input_in_place_is_explained_as_another(method):
    """As with x -= x.mean() or an nn.ReLU(inplace=True) at the beginning."""
    wav = WAV.clone()
    results = [
        ai.interpret(waveform(Energies(change)), wav, method)
        for change in (centred_in_place, centred)
    ]
    assert wav.equal(WAV)
    values = [result.attribution.values for result in results]
    assert torch.allclose(*values, rtol=1e-4, atol=1e-7)
    assert results[0].verdict == results[1].verdict


class LastLevel(nn.Module):
    """A network on levels that is scaled in place."""

    def __init__(self, in_place):
        super().__init__()
        self.layer = nn.Linear(64, 2)
        self.in_place = in_place
        torch.nn.init.constant_(self.layer.weight, 0.01)
        with torch.no_grad():
            self.layer.weight[0, :20] = 0.05

    def forward(self, db):
        if self.in_place:
            db += 40
            db /= 20
        else:
            db = (db + 40) / 20
        return self.layer(db.mean(-1)[:, 0])


def test_a_network_that_changes_its_features_in_place_is_explained_as_another():
    transform = ai.LogMel(RATE, 512, 128, 64, 0.0, 8000.0)
    torch.manual_seed(0)
    results = []
    for in_place in (True, False):
        torch.manual_seed(0)
        classifier = ai.Classifier(LastLevel(in_place), transform, ["a", "b"], duration=1.0)
        results.append(ai.interpret(classifier, WAV, "saliency"))
    assert results[0].spectrogram.db.equal(transform(WAV).db)
    assert results[0].p_of_sounds == results[1].p_of_sounds


def test_a_function_gets_samples_of_its_own():
    def silenced(wavs):
        p = probabilities_of(wavs)
        wavs[:] = 0
        return p

    wav = WAV.clone()
    result = ai.interpret(function(silenced), wav, "occlusion")
    other = ai.interpret(function(probabilities_of), wav, "occlusion")
    assert wav.equal(WAV)
    assert result.p_of_sounds == other.p_of_sounds


def test_a_list_of_rows_is_a_tensor_with_gradients():
    listed = waveform(Energies(None, lambda logits: list(logits)))
    attribution = ai.interpret(listed, WAV, "saliency").attribution
    other = ai.interpret(waveform(Energies()), WAV, "saliency").attribution
    assert torch.allclose(attribution.values, other.values)


class RelativeToTheBatch(Energies):
    """Levels relative to the loudest of the batch; the shape of sounds does not matter."""

    def forward(self, wav):
        energy = wav.square().mean(-1).clamp_min(1e-12)
        return super().forward(wav) * (energy / energy.max())[:, None]


@pytest.mark.parametrize("method", ["saliency", "occlusion"])
def test_outputs_that_depend_on_the_batch_are_refused(method):
    with pytest.raises(ModelError, match=r"answers .* with the other sounds .* give max_batch=1"):
        ai.interpret(waveform(RelativeToTheBatch()), WAV, method)
    result = ai.interpret(waveform(RelativeToTheBatch(), max_batch=1), WAV, method)
    assert result.verdict.p == pytest.approx(result.p_of_sounds["p"], abs=1e-5)


def test_features_that_depend_on_the_batch_are_refused():
    network = nn.Sequential(
        nn.BatchNorm2d(1, track_running_stats=False),
        nn.AdaptiveAvgPool2d((2, 1)),
        nn.Flatten(),
    )
    classifier = ai.Classifier(network, ai.LogMel(RATE, f_max=8000.0), ["a", "b"], duration=1.0)
    with pytest.raises(ModelError, match="make it take clips one by one"):
        ai.interpret(classifier, WAV, "saliency")


def test_a_random_model_is_said_to_be_random_and_not_of_two_shapes():
    module = Energies(None, lambda logits: nn.functional.dropout(logits, 0.5, True))
    with pytest.raises(ModelError, match="Energies is random: two runs on the same clip"):
        ai.interpret(waveform(module), WAV, "saliency")


def test_logits_of_a_reference_are_said_to_be_no_probabilities():
    result = checked(lambda samples: np.array([3.0, -3.0]))
    assert any("the reference's numbers are not in [0, 1]" in text for text in result.problems)
    other = checked(lambda samples: np.array([0.9, 0.1]))
    assert not any("the reference's numbers" in text for text in other.problems)


def test_labels_that_are_an_array_are_in_order():
    assert waveform(Energies(), np.array(["first", "second"])).labels == ("first", "second")
    with pytest.raises(ArgumentError, match="not a frozenset, which has no order"):
        waveform(Energies(), frozenset(["first", "second"]))
