"""Models as people have them: wrong uses end in one clear line, and each kind is explained."""

import re

import numpy as np
import pytest
import torch
import zoo
import zoo_networks
from conftest import noise
from torch import nn
from zoo_models import MODELS

from audiointerp.errors import ArgumentError, AudioInterpError, ModelError
from audiointerp.model.classifier import Classifier
from audiointerp.predict import interpret
from audiointerp.processing.spectrogram import LogMel

LABELS = ["a", "b", "c"]
RATE = 16000
WAV = noise(1.0, RATE)
SLOW = re.compile("CRNN|ResNet|MobileNet|EfficientNet|attention|one logit")


class Answer(nn.Module):
    """A linear network on sounds (N, L), whose logits are changed by a function."""

    def __init__(self, change=None, classes=3):
        super().__init__()
        self.layer = nn.Linear(RATE, classes)
        self.change = change or (lambda logits: logits)

    def forward(self, wav):
        return self.change(self.layer(wav))


class WithoutGradients(Answer):
    def forward(self, wav):
        with torch.no_grad():
            return super().forward(wav)


class ThroughNumPy(Answer):
    def forward(self, wav):
        return super().forward(torch.from_numpy(wav.detach().numpy()))


class OnTwoDevices(Answer):
    """A network with a plain tensor that does not move with it; meta stands for a GPU."""

    def forward(self, wav):
        return super().forward(wav + torch.zeros(RATE, device="meta"))


def waveform(module=None, labels=LABELS, **arguments):
    settings = {"sample_rate": RATE, "duration": 1.0, "normalize": "none"} | arguments
    return Classifier.from_waveform(module or Answer(), labels, **settings)


def function(predict, labels=LABELS, **arguments):
    settings = {"sample_rate": RATE, "duration": 1.0, "normalize": "none"} | arguments
    return Classifier.from_function(predict, labels, **settings)


def explained(classifier, method="occlusion", wav=WAV):
    return interpret(classifier, wav, method)


def p_of_one(wav):
    """Takes one sound (L,); returns three probabilities."""
    if wav.ndim != 1:
        raise ValueError("one sound, please")
    parts = np.square(wav[: wav.size // 3 * 3].reshape(3, -1)).sum(1) + 1e-9
    return parts / parts.sum()


def dictionary(logits):
    return {"embedding": logits, "scene": logits}


MISTAKES = {
    "rate of the grid": (
        lambda: waveform(grid=LogMel(32000)),
        "the model takes 16000 Hz, and the grid is of 32000 Hz; give a grid of the model's",
    ),
    "rate as text": (lambda: waveform(sample_rate="16k"), "sample_rate='16k' must be a whole"),
    "rate of 0": (lambda: waveform(sample_rate=0), "sample_rate=0 must be a whole number of Hz"),
    "rate with a fraction": (lambda: function(p_of_one, sample_rate=22050.5), "must be a whole"),
    "duration of 0": (lambda: waveform(duration=0), "duration=0 must be finite and above 0"),
    "duration as text": (lambda: waveform(duration="1 s"), "duration='1 s' must be finite and"),
    "another duration": (
        lambda: explained(waveform(duration=2.0)),
        r"Answer cannot take sounds \(2, 32000\) at 16000 Hz: .*; check sample_rate, duration",
    ),
    "labels too few": (
        lambda: explained(waveform(Answer(classes=5))),
        r"one for each label, not \(\d, 5\): give 5 labels in the order of the outputs",
    ),
    "labels too many": (
        lambda: explained(waveform(Answer(classes=2)), "saliency"),
        r"not \(\d, 2\): give 2 labels in the order of the outputs, or select= the outputs of 3",
    ),
    "labels as a number": (lambda: waveform(labels=3), "labels are a list of names, .* not 3"),
    "labels as one name": (lambda: waveform(labels="abc"), "labels are a list .* not 'abc'"),
    "labels of a function": (
        lambda: function(p_of_one, "abc"),
        r"labels are a list of names, e\.g\. \['cat', 'dog'\], not 'abc'",
    ),
    "labels of features": (
        lambda: Classifier(Answer(), LogMel(), "abc"),
        "labels are a list of names, .* not 'abc'",
    ),
    "labels as numbers": (lambda: waveform(labels=[0, 1, 2]), "labels must be the different names"),
    "NaN": (
        lambda: explained(waveform(Answer(lambda logits: logits * torch.nan))),
        r"must return finite logits .* with NaN or infinite values",
    ),
    "shape of a module": (lambda: waveform(shape="NTC"), "unknown shape 'NTC'; choose one of: NL"),
    "two channels": (
        lambda: explained(waveform(nn.Conv1d(2, 3, 400))),
        r"Conv1d does not return .* with \(N, 1, L\): .* to have 2 channels, but got 1 channels",
    ),
    "a network on features": (
        lambda: explained(waveform(nn.Conv2d(1, 3, 3))),
        r"a network on features is Classifier\(network, transform, labels\)",
    ),
    "one row for all sounds": (
        lambda: explained(waveform(Answer(lambda logits: logits.mean(0, keepdim=True)))),
        "Answer does not return one row of outputs per sound for two sounds",
    ),
    "a list of a module": (
        lambda: explained(waveform(Answer(lambda logits: [[logits, logits]]))),
        r"the outputs of Answer must be one tensor \(N, C\), .* \(it returns 1 values\)",
    ),
    "a dictionary without a usual key": (
        lambda: explained(waveform(Answer(dictionary))),
        "it returns a dictionary with embedding, scene.; name it, e.g. select='logits'",
    ),
    "a key that is not there": (
        lambda: explained(waveform(Answer(dictionary), select="logit")),
        "what Answer returns has no 'logit' .it returns a dictionary with embedding, scene",
    ),
    "a function that selects nothing": (
        lambda: explained(waveform(Answer(dictionary), select=lambda returned: returned["x"])),
        "select cannot take what Answer returns .* embedding, scene.: KeyError: 'x'",
    ),
    "a tensor on another device": (
        lambda: explained(waveform(OnTwoDevices())),
        "put all of its tensors on one device: those that are no parameters are made on that",
    ),
    "no such device": (
        lambda: interpret(waveform(), WAV, "random", device="gpu"),
        "device 'gpu' cannot be used here",
    ),
    "half precision before a front end": (
        lambda: explained(waveform(zoo_networks.CRNN(3).half())),
        r"CRNN cannot take sounds .* a front end \(FFT\) needs float32: give module.float\(\)",
    ),
    "half precision in a part": (
        lambda: explained(waveform(nn.Sequential(Answer().half(), nn.Linear(3, 3)))),
        "sounds have the type of the module's first weights",
    ),
    "no gradients": (
        lambda: explained(waveform(WithoutGradients()), "saliency"),
        "saliency needs gradients, which this network does not give: .* occlusion, lime",
    ),
    "no gradients through NumPy": (
        lambda: explained(waveform(ThroughNumPy()), "integrated_gradients"),
        "integrated_gradients needs gradients, which this network does not give",
    ),
    "gradients of a function": (
        lambda: explained(function(p_of_one), "saliency"),
        "saliency needs gradients, and this model is a function, which has none; .* occlusion",
    ),
    "a function of one sound": (
        lambda: explained(function(p_of_one)),
        r"p_of_one cannot take .*: ValueError: one sound, please; .* if it takes one sound "
        r"\(L,\), give lambda wavs: \[predict\(wav\) for wav in wavs\]",
    ),
    "a function of one sound, in batches of 1": (
        lambda: explained(function(p_of_one, max_batch=1)),
        r"if it takes one sound \(L,\), give lambda wavs: \[predict\(wav\) for wav in wavs\]",
    ),
    "a function that returns one row": (
        lambda: explained(function(lambda wavs: np.full(3, 1 / 3))),
        r"returned \(3,\) for 1 sounds; it must return one row of outputs per sound",
    ),
    "a function that returns one row as a list": (
        lambda: explained(function(lambda wavs: [0.1, 0.2, 0.7])),
        r"returned \(3,\) for 1 sounds; it must return one row of outputs per sound",
    ),
    "a function that returns names": (
        lambda: explained(function(lambda wavs: ["dog"] * len(wavs))),
        r"returned texts, e\.g\. 'dog': it must return the probability of each class",
    ),
    "a function that returns one name": (
        lambda: explained(function(lambda wavs: np.array("dog"))),
        r"returned texts, e\.g\. 'dog'",
    ),
    "a function that returns names with probabilities": (
        lambda: explained(function(lambda wavs: [("dog", 0.5)] * len(wavs))),
        r"returned texts, e\.g\. 'dog'",
    ),
    "a function that returns nothing": (
        lambda: explained(function(lambda wavs: None)),
        r"the outputs of <lambda> must be one tensor \(N, C\).*NoneType",
    ),
    "logits for probabilities": (
        lambda: explained(function(lambda wavs: np.full((len(wavs), 3), -4.0))),
        "says that they are probabilities; if the outputs are logits, give output='softmax'",
    ),
    "max_batch as text": (lambda: function(p_of_one, max_batch="1"), "must be a whole number from"),
    "a module as a function": (
        lambda: function(Answer()),
        "Answer is an nn.Module, which gets tensors; use Classifier.from_waveform",
    ),
    "a function as a module": (lambda: waveform(p_of_one), "for a function use Classifier.from_f"),
    "a class as a module": (lambda: waveform(Answer), "a waveform model is an nn.Module, not a ty"),
    "a class as a grid": (lambda: waveform(grid=LogMel), r"LogMel is a class, give LogMel\(\)"),
    "the name of a part": (
        lambda: waveform(network="layer"),
        "network='layer' is not a part of Answer; give one of its modules",
    ),
    "no clips to check": (lambda: waveform().check(None), r"check takes a data set .* not None"),
    "a missing file to check": (
        lambda: waveform().check(["a.wav"]),
        r"a\.wav: no such audio file",
    ),
}


@pytest.mark.filterwarnings("ignore:ComplexHalf support is experimental")
@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_wrong_use_ends_in_one_clear_line(mistake):
    use, words = MISTAKES[mistake]
    with pytest.raises(AudioInterpError, match=words) as refused:
        use()
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 500


def test_the_advice_for_a_function_of_one_sound_works():
    result = explained(function(lambda wavs: [p_of_one(wav) for wav in wavs]))
    assert result.p_of_sounds["p"] == pytest.approx(p_of_one(WAV.numpy().ravel()).max(), abs=1e-6)


def test_nan_does_not_hide_the_shape():
    classifier = waveform(Answer(lambda logits: logits * torch.nan))
    with pytest.raises(ModelError, match="finite logits"):
        classifier.logits(WAV)
    assert classifier.network.shape == "NL"


# Training and large networks take seconds each; tests/models_page.py runs all models.
QUICK = [model for model in MODELS if not SLOW.search(model.name)]


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
@pytest.mark.parametrize("model", QUICK, ids=[model.name for model in QUICK])
def test_each_model_of_the_page_decides_and_is_heard(model):
    try:
        classifier, wav = model.classifier(), model.clip()
    except zoo.Missing as reason:
        pytest.skip(str(reason))
    result = interpret(classifier, wav, "random", target=model.target, compared=2)
    assert classifier.takes_sounds == ("LogMel" not in model.code)
    p = classifier.probabilities(wav if classifier.takes_sounds else classifier.transform(wav).db)
    assert result.p_of_sounds["p"] == pytest.approx(
        float(p[0, result.attribution.target]), abs=1e-4
    )
    assert torch.allclose(result.kept + result.removed, wav, atol=1e-4)


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
def test_the_two_forms_of_silero_agree():
    by_name = {model.name: model for model in MODELS}
    try:
        script = by_name["silero-vad, TorchScript"].classifier()
        onnx = by_name["silero-vad, ONNX"].classifier()
    except zoo.Missing as reason:
        pytest.skip(str(reason))
    wavs = noise(2.0, RATE).cumsum(-1).clamp(-1, 1)
    assert torch.allclose(script.probabilities(wavs), onnx.probabilities(wavs), atol=1e-4)


def test_birdnet_hears_the_rooster(esc10):
    birdnet = pytest.importorskip("birdnet")
    try:
        classifier = birdnet.classifier()
    except zoo.Missing as reason:
        pytest.skip(str(reason))
    sounds = {sound.name: sound for sound in birdnet.sounds()}
    target = classifier.target(birdnet.ROOSTER)
    p = classifier.probabilities(sounds["rooster"].wav)
    assert p[0].argmax() == target
    assert p[0, target] > 0.9
    for sound in sounds.values():
        if sound.other is not None:
            energies = [float(part.square().sum()) for part in (sound.rooster, sound.other)]
            assert energies[0] == pytest.approx(energies[1], rel=1e-4)


def test_contrast_by_hand():
    import birdnet

    is_rooster = torch.tensor([True, True, False, False])
    assert birdnet.auc(torch.tensor([4.0, 3.0, 2.0, 1.0]), is_rooster) == 1
    assert birdnet.auc(torch.tensor([3.0, 2.0, 2.0, 1.0]), is_rooster) == 0.875
    assert birdnet.auc(torch.ones(4), is_rooster) == 0.5


def test_a_network_that_is_a_class_is_named():
    with pytest.raises(ArgumentError, match=r"Answer is a class, give Answer\(\)"):
        Classifier(Answer, LogMel(), LABELS)
