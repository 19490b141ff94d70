"""Classifier.check: agreement with the owner's pipeline, and what looks wrong."""

import copy
import math

import numpy as np
import pytest
import torch
from conftest import noise
from torch import nn

import audiointerp as ai
from audiointerp.errors import ArgumentError
from audiointerp.model import Check

RATE = 8000
LABELS = ["quiet", "middle", "loud"]


class Loudness(nn.Module):
    """Three classes by the level of the sound: -40, -20 and 0 dB."""

    def forward(self, wav):
        level = 10 * wav.square().mean(-1).clamp_min(1e-12).log10()
        centres = torch.tensor([-40.0, -20.0, 0.0])
        return -0.1 * (level[:, None] - centres).square()


def classifier(module=None, **arguments):
    settings = {"sample_rate": RATE, "duration": 0.5, "normalize": "none"}
    return ai.Classifier.from_waveform(module or Loudness(), LABELS, **settings | arguments)


def clips(count=9, seconds=0.5):
    """Noise at the three levels in turn, with its label."""
    items = []
    for number in range(count):
        wav = noise(seconds, rate=RATE, seed=number)[0]
        gain = 10 ** ((-40 + 20 * (number % 3)) / 20)
        items.append((gain * wav / wav.square().mean().sqrt(), number % 3))
    return items


def problems(result):
    return " | ".join(result.problems)


def test_a_classifier_that_fits_has_no_problems():
    result = classifier().check(
        [(wav.clamp(-1, 1), label) for wav, label in clips()], reference=["quiet", 1, 2] * 3
    )
    assert result.accuracy == 1
    assert result.agreement == 1
    assert result.problems == ()
    assert str(result) == "9 clips: accuracy 1, agreement with the reference 1"


def test_the_reference_is_a_function_or_results():
    model = Loudness()
    decider = classifier(model)

    def pipeline(samples):
        assert samples.shape == (4000,)
        return model(torch.from_numpy(samples)[None]).softmax(1)[0].numpy()

    result = decider.check([wav for wav, _ in clips()], reference=pipeline)
    assert math.isnan(result.accuracy)
    assert result.agreement == 1
    assert result.largest_difference < 1e-4
    wrong = np.tile([1.0, 0.0, 0.0], (9, 1))
    result = decider.check(clips(), reference=wrong)
    assert result.agreement == pytest.approx(1 / 3)
    assert result.largest_difference > 0.9
    with pytest.raises(ArgumentError, match="the reference has 2 results for 9 clips"):
        decider.check(clips(), reference=["quiet", "loud"])
    with pytest.raises(ArgumentError, match=r"a class number or 3 probabilities, not \(2,\)"):
        decider.check(clips(1), reference=[[0.5, 0.5]])


def test_a_wrong_normalisation_is_named():
    peaks = [(wav / wav.abs().max(), label) for wav, label in clips()]
    result = classifier().check(peaks)
    assert result.accuracy == pytest.approx(1 / 3)
    assert "all 9 clips are predicted as middle" in problems(result)

    loud = [(100 * wav, label) for wav, label in clips()]
    assert "samples are up to" in problems(classifier().check(loud))


def test_a_better_setting_is_named():
    class OfPeak(nn.Module):
        """Two classes: is the peak 1, with a first half that is louder?"""

        def forward(self, wav):
            first, second = wav.square().chunk(2, -1)
            difference = (first - second).mean(-1) * (wav.abs().amax(-1) > 0.99)
            return torch.stack([difference, -difference, difference - 9], -1)

    quiet = []
    for number in range(8):
        wav = 0.01 * noise(0.5, rate=RATE, seed=number)[0]
        half = slice(0, 2000) if number % 2 else slice(2000, 4000)
        wav[:, half] *= 0.01
        quiet.append((wav, number % 2))
    result = classifier(OfPeak()).check(quiet)
    assert result.accuracy == 0.5
    assert "and would be 1.00 with normalize='peak'" in problems(result)


def test_a_wrong_duration_is_named():
    class FirstPart(nn.Module):
        """The class by the level of the first second: silence if it is padded or cut."""

        def forward(self, wav):
            length = wav.shape[-1]
            early, late = wav[:, : length // 2], wav[:, length // 2 :]
            values = torch.stack([early, late], 1).square().mean(-1).clamp_min(1e-9).log()
            return torch.cat([values, values.amin(1, keepdim=True) - 9], 1)

    long = []
    for number in range(8):
        wav = noise(2.0, rate=RATE, seed=number)[0]
        wav[:, :8000] *= 0.5 if number % 2 else 1.5
        long.append((wav, number % 2))
    text = problems(classifier(FirstPart(), duration=0.5).check(long))
    assert "clips last 2 s, and are classified in windows of 0.5 s" in text
    assert "would be 1.00 with duration=2" in text
    short = [(wav[:, :800], label) for wav, label in long]
    assert "padded with silence to the classifier's 0.5 s" in problems(classifier().check(short))


def test_labels_in_another_order_are_named():
    turned = [(wav, (label + 1) % 3) for wav, label in clips(12)]
    result = classifier().check(turned)
    assert result.accuracy == 0
    assert "with the labels in another order the accuracy would be 1.00" in problems(result)


def test_probabilities_taken_for_logits_are_named():
    class Ending(Loudness):
        def forward(self, wav):
            return super().forward(wav).softmax(1)

    with pytest.warns(UserWarning, match="output='probabilities'"):
        result = classifier(Ending()).check(clips())
    assert "give output='probabilities', not 'softmax'" in problems(result)

    class OneProbability(Loudness):
        def forward(self, wav):
            logits = super().forward(wav)
            return (logits[:, 2] - logits[:, 1]).sigmoid() * 0.9 + 0.05

    decider = ai.Classifier.from_waveform(
        OneProbability(),
        ["loud"],
        sample_rate=RATE,
        duration=0.5,
        normalize="none",
        output="binary",
    )
    result = decider.check([wav for wav, _ in clips(18)])
    assert "give output='binary_probability', not 'binary'" in problems(result)


def test_features_of_another_scale_are_named():
    network = ai.Cnn6(2, base_channels=4)
    transform = ai.LogMel()
    decider = ai.Classifier(network, transform, ["a", "b"], duration=1.0, normalize="none")
    wavs = [noise(1.0, seed=number) for number in range(8)]
    mean = torch.cat([transform(wav).db for wav in wavs]).mean((0, 1, 3))
    network.bn0.running_mean.copy_(mean)
    assert decider.check(wavs).problems == ()
    network.bn0.running_mean.copy_(mean - 20)
    assert "the features are 20 dB above those that the network was trained on" in problems(
        decider.check(wavs)
    )


def test_another_rate_is_named():
    class Clips(list):
        sample_rate = 44100

    result = classifier().check(Clips(clips()))
    assert "the clips have 44100 Hz, the classifier takes 8000 Hz" in problems(result)


def test_clips_that_are_none_are_refused():
    with pytest.raises(ArgumentError, match="at least one clip"):
        classifier().check([])
    with pytest.raises(ArgumentError, match=r"clip 0 is not one mono sound \(L,\): \(2, 4000\)"):
        classifier().check([(torch.zeros(2, 4000), "loud")])
    with pytest.raises(ArgumentError, match=r"'lout'.*did you mean 'loud'"):
        classifier().check([(torch.zeros(4000), "lout")])
    with pytest.raises(ArgumentError, match=r"clip 0 is a single number: .*; give one as \[wav\]"):
        classifier().check(torch.zeros(4000))


def test_a_check_changes_nothing():
    decider = classifier()
    before = copy.copy(vars(decider))
    assert isinstance(decider.check(clips()), Check)
    assert vars(decider) == before


def test_numbers_are_not_looked_up_among_names():
    module = nn.Sequential(Loudness())
    decider = ai.Classifier.from_waveform(
        module, ["10", "2", "1"], sample_rate=RATE, duration=0.5, normalize="none"
    )
    items = [(wav.clamp(-1, 1), label) for wav, label in clips()]
    assert decider.check(items, reference=[0, 1, 2] * 3).accuracy == 1
    assert decider.check(items, reference=["10", "2", "1"] * 3).agreement == 1
    with pytest.raises(ArgumentError, match="class 3 is not one of the classifier's 3"):
        decider.check([(items[0][0], 3)])
    with pytest.raises(ArgumentError, match="one label each"):
        decider.check([(items[0][0], (0, 1))])


def test_scaled_features_are_compared_as_the_network_sees_them():
    network = ai.Cnn6(2, base_channels=4)
    transform = ai.LogMel(scaling=ai.Scaling(mean=-40.0, std=15.0))
    decider = ai.Classifier(network, transform, ["a", "b"], duration=1.0, normalize="none")
    wavs = [noise(1.0, seed=number) for number in range(8)]
    levels = torch.cat([transform.scaled(transform(wav).db) for wav in wavs])
    network.bn0.running_mean.copy_(levels.mean((0, 1, 3)))
    assert decider.check(wavs).problems == ()
    network.bn0.running_mean.sub_(3)
    assert "above those that the network was trained on" in problems(decider.check(wavs))


def recorded_at(rate, count=8, resampled=16000):
    """Noise that was recorded at a rate, and resampled."""
    sounds = [noise(0.6, rate=rate, seed=number)[..., : rate // 2] for number in range(count)]
    return [0.1 * ai.processing.resample(wav, rate, resampled)[0] for wav in sounds]


def said_of_rate(sounds, rate=16000):
    texts = classifier(sample_rate=rate).check(sounds).problems
    return [text for text in texts if "were they recorded" in text]


@pytest.mark.parametrize(
    ("own", "rate"), [(8000, 16000), (8000, 32000), (11025, 16000), (22050, 44100)]
)
def test_clips_recorded_at_a_lower_rate_are_named(own, rate):
    (text,) = said_of_rate(recorded_at(own, resampled=rate), rate)
    assert text.startswith(
        f"nothing above {own / 2:g} Hz in any clip: were they recorded at {own} Hz?"
    )


def test_low_sounds_and_few_clips_are_not_named():
    # The power of brown noise falls by 6 dB per octave.
    brown = [noise(0.5, rate=16000, seed=number)[0].cumsum(-1) for number in range(8)]
    brown = [wav / wav.abs().max() for wav in brown]
    lower = recorded_at(8000)
    assert said_of_rate(brown) == []
    assert said_of_rate(lower[:3]) == []
    # One clip with sound above is enough; silence says nothing.
    assert said_of_rate([*lower, 0.01 * noise(0.5, rate=16000)[0]]) == []
    assert said_of_rate([*lower[:3], torch.zeros(1, 8000)]) == []
    assert len(said_of_rate([*lower, torch.zeros(1, 8000)])) == 1


def test_real_clips_are_named_only_if_they_come_from_a_lower_rate(request):
    clips = request.getfixturevalue("clips")
    whole = [ai.processing.resample(wav[0], 32000, 16000) for wav in clips]
    lower = [
        ai.processing.resample(ai.processing.resample(wav, 16000, 8000), 8000, 16000)
        for wav in whole
    ]
    assert said_of_rate(whole) == []
    assert len(said_of_rate(lower)) == 1


class RelativeToTheBatch(Loudness):
    """Levels below the loudest sound of the batch, as AmplitudeToDB(top_db=...) on (N, F, T)."""

    def forward(self, wav):
        level = 10 * wav.square().mean(-1).clamp_min(1e-12).log10()
        return super().forward(wav * 10 ** (-level.max() / 20))


@pytest.mark.parametrize(("max_batch", "is_said"), [(None, True), (1, False)])
def test_outputs_that_depend_on_the_batch_are_said(max_batch, is_said):
    decider = classifier(RelativeToTheBatch(), max_batch=max_batch)
    said = problems(decider.check([wav for wav, _ in clips()]))
    assert ("changes by up to 1 with the other sounds in its batch" in said) == is_said
    assert ("give max_batch=1" in said) == is_said


def test_one_by_one_every_part_is_heard_as_alone():
    module = RelativeToTheBatch()
    sounds = torch.stack([wav for wav, _ in clips(3)])
    alone = torch.cat([module(sound) for sound in sounds])
    outputs = classifier(module, max_batch=1).logits(sounds)
    assert torch.allclose(outputs, alone)
    with pytest.raises(ArgumentError, match="max_batch=0: must be a whole number from 1 on"):
        classifier(module, max_batch=0)


def test_equal_classes_with_other_probabilities_are_a_problem():
    """As of a wrong sample rate that changes no class of these few clips."""
    decider = classifier()
    sounds = [(wav.clamp(-1, 1), label) for wav, label in clips()]
    p = torch.stack([decider.probabilities(wav[None])[0] for wav, _ in sounds])
    assert decider.check(sounds, reference=p).problems == ()
    result = decider.check(sounds, reference=0.9 * p + 0.1 / 3)
    assert result.agreement == 1
    assert problems(result).startswith("the classes agree with the reference, but a probability")


def test_clips_a_third_longer_than_the_duration_are_said():
    assert "classified in windows of 0.5 s" in problems(classifier().check(clips(seconds=0.66)))


def test_with_labels_in_another_order_no_setting_is_recommended():
    swapped = [(wav, (2, 1, 0)[label]) for wav, label in clips()]
    said = problems(classifier().check(swapped))
    assert "with the labels in another order" in said
    assert "normalize=" not in said


def test_files_are_read_as_the_classifier_takes_them(tmp_path):
    sounds = [(wav.clamp(-1, 1), label) for wav, label in clips()]
    paths = [tmp_path / f"{number}.wav" for number in range(len(sounds))]
    for path, (wav, _) in zip(paths, sounds, strict=True):
        ai.save_audio(path, wav[None], RATE)
    pairs = [(str(path), label) for path, (_, label) in zip(paths, sounds, strict=True)]
    assert classifier().check(pairs).accuracy == 1
    # Their levels are another if their peaks are 1.
    assert classifier(normalize="peak").check(pairs).accuracy < 0.7


def test_a_folder_is_refused_with_the_call_that_reads_it():
    call = r"ai.as_dataset\('clips', sample_rate=8000, normalize='none'\)"
    with pytest.raises(ArgumentError, match=call):
        classifier().check("clips")


@pytest.mark.filterwarnings("error")
def test_samples_with_a_rate_are_refused_in_one_line():
    with pytest.raises(ArgumentError, match=r"clip 0 is not one sound .* takes paths, samples at"):
        classifier().check([((np.zeros(800), 8000), "quiet")])


class OneAtATime(Loudness):
    """Fails for two sounds, as code with a loop over time may."""

    def forward(self, wav):
        if len(wav) > 2:
            raise ValueError("one sound, please")
        return super().forward(wav)


class NotFiniteTogether(Loudness):
    def forward(self, wav):
        return super().forward(wav) * (1.0 if len(wav) <= 2 else float("nan"))


class Noisy(Loudness):
    def forward(self, wav):
        return super().forward(wav) + 50 * torch.randn(len(wav), 3)


@pytest.mark.parametrize(
    ("module", "said"),
    [
        (OneAtATime(), "it takes one clip, but not 8 at once"),
        (NotFiniteTogether(), "p of a sound changes by up to 1 with the other sounds in its batch"),
        (Noisy(), "p of the same sound changes by up to"),
    ],
)
def test_what_a_batch_does_to_a_model_is_said(module, said):
    # With some states two draws of Noisy have the same answer.
    torch.manual_seed(0)
    texts = classifier(module).check([wav for wav, _ in clips()]).problems
    assert len([text for text in texts if said in text]) == 1
    # Noise is not an effect of the batch.
    advised = [text for text in texts if "max_batch=1" in text]
    assert bool(advised) != isinstance(module, Noisy)
