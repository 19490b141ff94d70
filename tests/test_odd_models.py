"""Models that do what few expect: one clear line for a mistake, the right answer for the rest."""

import numpy as np
import pytest
import torch
from conftest import noise
from torch import nn

import audiointerp as ai
from audiointerp.errors import ArgumentError, AudioInterpError, ModelError
from audiointerp.interpretation import Saliency
from audiointerp.interpretation.repeatable import refuse_random

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


def with_statistics(value):
    statistics = nn.BatchNorm1d(2)
    statistics.running_var[1] = value
    return nn.Sequential(Energies(), statistics)


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
        "sample_rate=16 is in Hz, not in kHz, e.g. 16000; rates below 100 Hz are refused",
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
    "running statistics that are NaN": (
        lambda: ai.interpret(waveform(with_statistics(torch.nan)), WAV, "saliency"),
        "its buffer 1.running_var has such values, too",
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


class NanWhere(nn.Module):
    """Is NaN for the clips of which a condition holds; an attention mask is among its buffers."""

    def __init__(self, condition):
        super().__init__()
        self.condition = condition
        self.register_buffer("mask", torch.full((2, 2), -torch.inf).triu(1))

    def forward(self, db):
        logits = db.flatten(1)[:, :2]
        return torch.where(self.condition(db.flatten(1))[:, None], torch.nan, logits)


NAN_CLIPS = {
    "the silent one": (lambda clips: clips.amax(1) <= -100, True),
    "the loud one": (lambda clips: clips.amax(1) > -100, False),
    "both": (lambda clips: clips.amax(1) <= 100, False),
}


@pytest.mark.parametrize("which", NAN_CLIPS)
def test_silence_is_blamed_only_where_nothing_else_is_nan(which):
    condition, is_blamed = NAN_CLIPS[which]
    network, transform = NanWhere(condition), ai.LogMel(RATE, f_max=8000.0)
    db = torch.full((2, 1, 64, 51), -100.0)
    db[1] += torch.linspace(0, 50, 64)[:, None]
    classifier = ai.Classifier(network, transform, ["a", "b"])
    explainer = Saliency(network)
    for use in (classifier.logits, explainer):
        with pytest.raises(ModelError, match="with NaN or infinite values") as refused:
            use(db)
        assert ("a window of silence" in str(refused.value)) == is_blamed
        assert "buffer" not in str(refused.value)


class OfTheBatch(nn.Module):
    """One output for a clip, which differs by a given number where another is beside it."""

    def __init__(self, alone, change):
        super().__init__()
        self.alone, self.change = alone, change

    def forward(self, db):
        added = self.change if len(db) > 1 else 0.0
        return db.flatten(1).mean(1, keepdim=True) * 0 + self.alone + added


ROUNDED = {
    "a logit near the boundary": ("binary", 1e-8, -1.5e-8),
    "a logit in half precision": ("binary", 0.002, 2.5e-4),
    "a large logit in half precision": ("binary", 20.0, 0.125),
    "a small probability in half precision": ("binary_probability", 0.001, 6e-5),
}
CHANGED = {
    "a logit near the boundary": ("binary", 0.002, 0.02),
    "a large logit": ("binary", 20.0, -2.0),
    "a small probability": ("binary_probability", 0.001, 0.004),
    "a probability": ("binary_probability", 0.5, 0.05),
}


@pytest.mark.parametrize("case", ROUNDED)
def test_rounding_beside_another_clip_is_no_dependence_on_it(case):
    output, alone, change = ROUNDED[case]
    db = torch.linspace(-80, -10, 300).view(1, 1, 20, 15)
    refuse_random(OfTheBatch(alone, change), db, output)


@pytest.mark.parametrize("case", CHANGED)
def test_one_output_that_depends_on_the_batch_is_refused(case):
    output, alone, change = CHANGED[case]
    db = torch.linspace(-80, -10, 300).view(1, 1, 20, 15)
    with pytest.raises(ModelError, match="OfTheBatch answers a clip otherwise"):
        refuse_random(OfTheBatch(alone, change), db, output)


def first_changed(logits):
    return torch.cat([logits[:1] + 100 * (len(logits) - 1), logits[1:]])


MIXED_UP = {
    "the first clip's": lambda logits: logits[:1].expand_as(logits),
    "the last clip's": lambda logits: logits[-1:].expand_as(logits),
    "in reverse": lambda logits: logits.flip(0),
    "moved by one": lambda logits: logits.roll(1, 0),
    "the first changed by the others": first_changed,
    "the last changed by the others": lambda logits: first_changed(logits.flip(0)).flip(0),
}


@pytest.mark.parametrize("is_relative", [False, True])
@pytest.mark.parametrize("case", MIXED_UP)
def test_answers_to_other_clips_of_the_batch_are_refused(case, is_relative):
    """Also those of a network that hears no levels, to which a louder copy is the clip."""

    class MixedUp(nn.Linear):
        def forward(self, db):
            level = db.mean((1, 2, 3), keepdim=True) if is_relative else 0
            return MIXED_UP[case](super().forward((db - level).flatten(1)))

    torch.manual_seed(0)
    db = torch.linspace(-80, -10, 300).view(1, 1, 20, 15)
    with pytest.raises(ModelError, match="MixedUp answers a clip otherwise"):
        refuse_random(MixedUp(300, 4), db)


def test_a_function_that_answers_for_its_first_sound_alone_is_refused():
    first_alone = function(lambda wavs: probabilities_of(wavs)[:1].repeat(len(wavs), 0))
    with pytest.raises(ModelError, match="give max_batch=1, or make it take sounds one by one"):
        ai.interpret(first_alone, WAV, "occlusion")


class OfFrames(nn.Module):
    """A recurrent network in half precision with one logit, shifted by a number."""

    def __init__(self):
        super().__init__()
        self.frames = nn.Linear(64, 256)
        self.recurrent = nn.GRU(256, 128, batch_first=True, num_layers=2)
        self.head = nn.Linear(128, 1)
        self.shift = 0.0

    def forward(self, db):
        states, _ = self.recurrent(self.frames(db[:, 0].transpose(1, 2) / 40).relu())
        return self.head(states[:, -1]).float() - self.shift


@pytest.mark.parametrize("seed", [2, 3, 7])
def test_a_network_in_half_precision_near_its_boundary_is_explained(seed):
    torch.manual_seed(seed)
    network = OfFrames().bfloat16().eval()
    db = 10 * torch.randn(1, 1, 64, 101) - 40
    with torch.no_grad():
        network.shift = network(db.bfloat16()).item() - 0.002
    attribution = Saliency(network)(db, output="binary")
    assert attribution.values.abs().max() > 0


def test_seismic_signals_of_100_hz_are_explained():
    settings = {"sample_rate": 100, "duration": 10.0}
    result = ai.interpret(waveform(Energies(), **settings), noise(10.0, 100), "occlusion")
    assert result.spectrogram.transform.sample_rate == 100
    assert 0 < result.p_of_sounds["p_in"] < 1


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
