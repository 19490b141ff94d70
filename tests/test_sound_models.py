"""Models of sounds: a clip's levels become a gain, and the model gets the sound."""

from functools import partial

import numpy as np
import pytest
import torch
from conftest import noise, small_classifier
from torch import nn

import audiointerp as ai
from audiointerp.errors import ArgumentError, ModelError
from audiointerp.model import BoundModel, SoundModel, default_grid
from audiointerp.model.selected import selected

# Thirty random masks for each verdict are tested in test_verdict.py.
interpret = partial(ai.interpret, compared=2)

RATE = 16000
LABELS = ["low", "high"]


class BandEnergies(nn.Module):
    """Logits: 10 times the logarithm of the energy below and above 4 kHz, of sounds (N, L)."""

    def forward(self, wav):
        power = torch.fft.rfft(wav).abs().square()
        low, high = power[..., : power.shape[-1] // 2], power[..., power.shape[-1] // 2 :]
        return torch.stack([low.mean(-1), high.mean(-1)], -1).clamp_min(1e-12).log()


def waveform(module=None, **arguments):
    settings = {"sample_rate": RATE, "duration": 1.0, "normalize": "none"}
    return ai.Classifier.from_waveform(module or BandEnergies(), LABELS, **settings | arguments)


def tone(frequency, seconds=1.0, rate=RATE):
    time = torch.arange(round(seconds * rate), dtype=torch.float64) / rate
    return torch.sin(2 * torch.pi * frequency * time).float()[None, None]


def two_tones():
    return 0.5 * tone(500) + 0.5 * tone(6000)


class FrontEnd(nn.Module):
    def __init__(self, transform):
        super().__init__()
        self.transform = transform

    def forward(self, wav):
        return self.transform(wav[:, None]).db


def with_front_end(classifier, **arguments):
    """The same network as a module on waveforms."""
    module = nn.Sequential(FrontEnd(classifier.transform), classifier.network)
    return ai.Classifier.from_waveform(
        module,
        classifier.labels,
        sample_rate=classifier.sample_rate,
        duration=classifier.duration,
        normalize="peak",
        **{"grid": classifier.transform, "bands": classifier.transform, "shape": "NL"} | arguments,
    )


def test_the_levels_of_a_clip_give_the_models_own_logits():
    classifier = waveform()
    wav = two_tones()
    spectrogram = classifier.transform(wav)
    bound = classifier.bind(spectrogram)
    assert torch.allclose(bound(spectrogram.db), BandEnergies()(wav[:, 0]), atol=1e-4)
    assert torch.allclose(bound.sound(spectrogram.db), wav, atol=1e-5)
    silence = torch.full_like(spectrogram.db, -100)
    assert bound.sound(silence).abs().max() < 1e-6


def test_levels_are_a_gain_by_hand():
    """All levels 20 dB down: the sound has a tenth of the amplitude."""
    classifier = waveform()
    wav = two_tones()
    spectrogram = classifier.transform(wav)
    quieter = classifier.bind(spectrogram).sound(spectrogram.db - 20)
    assert torch.allclose(quieter, wav / 10, atol=1e-5)


def test_gradients_reach_the_grid_and_equal_finite_differences():
    classifier = waveform(BandEnergies().double())
    wav = two_tones().double() + 0.01 * noise(1.0, rate=RATE).double()
    spectrogram = classifier.transform(wav)
    bound = BoundModel(classifier.network, spectrogram)
    db = spectrogram.db.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(bound(db)[0, 1], db)
    chosen = gradient.abs().flatten().topk(5).indices
    for index in chosen.tolist():
        step = torch.zeros_like(spectrogram.db).flatten()
        step[index] = 1e-3
        step = step.view_as(spectrogram.db)
        with torch.no_grad():
            up, down = (bound(spectrogram.db + sign * step)[0, 1] for sign in (1, -1))
        measured = float((up - down) / 2e-3)
        assert measured == pytest.approx(float(gradient.flatten()[index]), rel=1e-3)


@pytest.mark.parametrize("method", ["saliency", "integrated_gradients", "occlusion", "lime"])
def test_the_part_that_decides_is_found_and_heard(method):
    """The higher tone is what makes the clip "high": the kept part has it, and not the other."""
    classifier = waveform()
    methods = {"lime": lambda network: ai.LIME(network, "grid", samples=400)}
    if method == "occlusion":
        explainer = ai.Occlusion(classifier.network, (8, 25), (8, 25))
    else:
        explainer = methods[method](classifier.network) if method in methods else method
    result = interpret(classifier, two_tones(), explainer, "pos_thresh_25", target="high")
    bands = [float(torch.fft.rfft(result.kept)[0, 0, f].abs()) for f in (500, 6000)]
    assert bands[1] > 3 * bands[0]
    assert result.heard["p_in"] > 0.9
    assert torch.allclose(result.kept + result.removed, result.wav, atol=1e-5)


def test_a_network_with_its_front_end_is_explained_as_the_network_itself():
    direct = small_classifier()
    foreign = with_front_end(direct)
    wav = noise(1.0)
    spectrogram = direct.transform(wav)
    logits = foreign.bind(spectrogram)(spectrogram.db)
    assert torch.allclose(logits, direct.logits(spectrogram.db), atol=2e-5)
    for method in ("gradcam", "layercam"):
        maps = [
            interpret(classifier, wav, method, target=0, on="audio").attribution.values
            for classifier in (direct, foreign)
        ]
        correlation = torch.corrcoef(torch.stack([each.flatten() for each in maps]))[0, 1]
        assert correlation > 0.99


def test_the_layer_is_one_of_the_part_that_its_owner_names():
    direct = small_classifier()
    blocks = direct.network.conv_block1
    module = nn.Sequential(FrontEnd(direct.transform), direct.network)
    layers = []
    for part in (None, blocks):
        foreign = ai.Classifier.from_waveform(
            module,
            direct.labels,
            sample_rate=32000,
            duration=1.0,
            normalize="none",
            shape="NL",
            grid=direct.transform,
            bands=direct.transform,
            network=part,
        )
        explainer = ai.GradCAM(foreign.network)
        for seed in range(2):
            attribution = interpret(foreign, noise(1.0, seed=seed), explainer).attribution
        layers.append(attribution.info["layer"])
        # Measured once for all clips.
        assert len(explainer._measured) == 1
    assert "conv_block1" in layers[1]
    assert layers[0] != layers[1]


def test_maps_over_bands_that_are_not_known_are_over_time_alone():
    direct = small_classifier()
    foreign = with_front_end(direct, bands=None)
    with pytest.warns(UserWarning, match="bands of the model's own front end"):
        attribution = interpret(foreign, noise(1.0), "layercam", target=0).attribution
    assert torch.equal(
        attribution.values, attribution.values[:, :, :1].expand_as(attribution.values)
    )
    assert attribution.info["grid"][0] == 1
    # A front end that was found to be the grid has its bands.
    known = interpret(
        with_front_end(direct, bands=None, gradients="features"),
        noise(1.0),
        "layercam",
        target=0,
    ).attribution
    assert known.info["grid"][0] > 1
    # Twice as many bands, in the same range: the map is at the same frequencies.
    finer = ai.LogMel(n_mels=128)
    turned = with_front_end(direct, grid=finer)
    maps = [
        interpret(classifier, noise(1.0), "layercam", target=0, on="audio").attribution.values
        for classifier in (direct, turned)
    ]
    halved = torch.nn.functional.avg_pool2d(maps[1], (2, 1))
    correlation = torch.corrcoef(torch.stack([maps[0].flatten(), halved.flatten()]))[0, 1]
    assert correlation > 0.95


def test_scores_of_a_model_of_sounds_are_those_of_the_sounds():
    direct = small_classifier()
    foreign = with_front_end(direct)
    wav = noise(1.0)
    attribution = interpret(direct, wav, "gradcam", target=0).attribution
    for seconds in (1.0, 2.5):
        clip = noise(seconds)
        results = [
            interpret(classifier, clip, ai.Random(classifier.network), target=0, on="audio")
            for classifier in (direct, foreign)
        ]
        # The windows of sounds are a frame closer together.
        tolerance = 1e-4 if seconds == 1 else 5e-3
        p, foreign_p = (result.p_of_sounds["p"] for result in results)
        assert p == pytest.approx(foreign_p, abs=tolerance)
    assert attribution.values.shape == direct.transform(wav).db.shape


def test_a_long_clip_is_explained_in_windows():
    classifier = waveform()
    wav = torch.cat([tone(500), tone(6000)], -1)
    result = interpret(classifier, wav, "integrated_gradients", target="high", windows="all")
    values = result.attribution.values
    half = values.shape[-1] // 2
    assert values[..., half + 5 :].sum() > 10 * values[..., : half - 5].abs().sum()
    assert result.kept.shape == wav.shape


def test_a_function_is_a_model():
    network = BandEnergies()

    def predict(wavs):
        assert wavs.dtype == np.float32
        with torch.no_grad():
            return network(torch.from_numpy(wavs)).softmax(1).numpy()

    classifier = ai.Classifier.from_function(
        predict, LABELS, sample_rate=RATE, duration=1.0, normalize="none"
    )
    wav = two_tones()
    ours = waveform().probabilities(wav)
    assert torch.allclose(classifier.probabilities(wav), ours, atol=1e-5)
    with pytest.raises(ArgumentError, match="saliency needs gradients, and this model is a func"):
        interpret(classifier, wav, "saliency")
    explainer = ai.Occlusion(classifier.network, (8, 25), (8, 25))
    assert interpret(classifier, wav, explainer, target="high").heard["p_in"] > 0.9
    single = ai.Classifier.from_function(
        lambda wavs: predict(wavs)[:1],
        LABELS,
        sample_rate=RATE,
        duration=1.0,
        normalize="none",
        max_batch=1,
    )
    pair = torch.cat([tone(500), tone(6000)])
    assert single.probabilities(pair).argmax(1).tolist() == [0, 1]


def test_one_logit_is_a_model():
    class OneLogit(nn.Module):
        def forward(self, wav):
            low, high = BandEnergies()(wav).unbind(-1)
            return high - low

    classifier = ai.Classifier.from_waveform(
        OneLogit(), ["high"], sample_rate=RATE, duration=1.0, normalize="none", output="binary"
    )
    assert classifier.labels == ("not high", "high")
    wav = two_tones()
    assert torch.allclose(classifier.probabilities(wav), waveform().probabilities(wav), atol=1e-5)
    high, low = (
        interpret(classifier, wav, "integrated_gradients", target=label).attribution.values
        for label in ("high", "not high")
    )
    assert torch.allclose(high, -low, atol=1e-5)
    with pytest.raises(ArgumentError, match="of the second of two labels, not of 3"):
        ai.Classifier.from_waveform(
            OneLogit(),
            list("abc"),
            sample_rate=RATE,
            duration=1.0,
            normalize="none",
            output="binary",
        )


def test_the_shape_of_sounds_is_found():
    convolution = nn.Sequential(nn.Conv1d(1, 2, 8, 8), nn.AdaptiveAvgPool1d(1), nn.Flatten())
    model = SoundModel(convolution, RATE)
    assert model(torch.zeros(3, 1, 800)).shape == (3, 2)
    assert model.shape == "NCL"

    class Either(nn.Module):
        def forward(self, wav):
            return wav.flatten(1)[:, :2] * wav.ndim

    with pytest.raises(ModelError, match="answers differently; give shape='NL' or shape='NCL'"):
        SoundModel(Either(), RATE)(torch.ones(1, 1, 8))


def test_outputs_are_selected():
    logits = torch.zeros(1, 2)
    assert selected({"clipwise_output": logits}, None, "m") is logits
    assert selected((torch.ones(3), logits), 1, "m") is logits
    assert selected({"deep": {"down": logits}}, lambda out: out["deep"]["down"], "m") is logits
    assert selected(type("Record", (), {"logits": logits})(), None, "m") is logits
    with pytest.raises(ModelError, match=r"no 'logit' \(it returns a dictionary with a, b\)"):
        selected({"a": logits, "b": logits}, "logit", "m")
    with pytest.raises(ModelError, match=r"not dict \(it returns a dictionary with a, b\); name"):
        selected({"a": logits, "b": logits}, None, "m")


@pytest.mark.parametrize("rate", [100, 250, 1000, 2000, 8000, 16000, 22050, 32000, 44100, 48000])
def test_the_default_grid_has_no_empty_band(rate):
    """Warnings are errors here: those about grids that it does not take are not given."""
    grid = default_grid(rate)
    assert bool((grid.band_filters.sum(1) > 0).all())
    assert 32 <= grid.num_bins <= 64
    wav = noise(max(0.5, 100 / rate), rate=rate)
    assert torch.allclose(grid(wav).to_wav(), wav, atol=1e-5)


def test_features_methods_are_refused_in_one_line():
    classifier = waveform()
    background = classifier.transform(two_tones()).db
    with pytest.raises(ArgumentError, match="shap needs a network on features, and this model"):
        interpret(classifier, two_tones(), "shap")
    result = interpret(classifier, two_tones(), "gradient_shap", background=background)
    assert result.attribution.values.isfinite().all()


def test_the_first_forward_says_what_is_wrong():
    fixed = nn.Sequential(nn.Linear(8000, 2))
    with pytest.raises(ModelError, match=r"Sequential cannot take sounds \(2, 16000\) at 16000 Hz"):
        interpret(waveform(fixed), two_tones(), "saliency")
    with pytest.raises(ArgumentError, match="the grid is of 32000 Hz"):
        waveform(grid=ai.LogMel())
    with pytest.raises(ArgumentError, match="for a function use Classifier"):
        waveform(len)
    three = nn.Sequential(nn.Linear(16000, 3))
    with pytest.raises(ModelError, match="one for each label"):
        interpret(waveform(three), two_tones(), "saliency")
    with pytest.raises(ModelError, match=r"takes sounds \(N, 1, L\), not \(1, 1, 64, 101\)"):
        ai.Saliency(waveform().network)(torch.zeros(1, 1, 64, 101))


def test_half_precision_keeps_the_levels_in_float32():
    class Halves(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones((), dtype=torch.bfloat16))

        def forward(self, wav):
            assert wav.dtype == torch.bfloat16
            return (BandEnergies()(wav.float()) * self.scale.float()).bfloat16()

    result = interpret(waveform(Halves()), two_tones(), "saliency", "pos_thresh_25", target="high")
    assert result.attribution.values.dtype == torch.float32
    assert result.heard["p_in"] > 0.5


def saved_waveform():
    return waveform(Gain())


class Gain(nn.Module):
    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(0.0))

    def forward(self, wav):
        return BandEnergies()(wav) * self.gain


def test_a_foreign_network_is_saved_with_the_name_of_its_code(tmp_path):
    path, name = tmp_path / "a.safetensors", f"{__name__}:saved_waveform"
    classifier = saved_waveform()
    classifier.network.module.gain.data.fill_(3.0)
    with pytest.raises(ModelError, match=r"cannot be saved.*save\(path, factory="):
        classifier.save(path)
    classifier.save(path, factory=name)
    with pytest.raises(ModelError, match="if you trust it"):
        ai.Classifier.load(path)
    for factory in (name, saved_waveform):
        loaded = ai.Classifier.load(path, factory=factory)
        assert loaded.network.module.gain == 3.0
    with pytest.raises(ArgumentError, match=r"no function other; it has .*saved_waveform"):
        ai.Classifier.load(path, factory=f"{__name__}:other")


def loudness(normalize):
    """A function of the level: loud if the power is above -20 dB."""

    def predict(wavs):
        loud = (wavs**2).mean(1) > 0.01
        return np.stack([~loud, loud], 1) * 0.98 + 0.01

    return ai.Classifier.from_function(
        predict, ["quiet", "loud"], sample_rate=RATE, duration=1.0, normalize=normalize
    )


def test_clips_are_normalised_as_the_classifier_says(tmp_path):
    for label, gain in (("quiet", 0.05), ("loud", 0.9)):
        (tmp_path / label).mkdir()
        for number in range(2):
            ai.save_audio(tmp_path / label / f"{number}.wav", gain * tone(500 + number), RATE)
    classifier = loudness("none")
    settings = {"masks": ["topK_50"], "nulls": [], "progress": False}
    assert ai.score(classifier, tmp_path, ["random"], **settings)["correct"].all()
    clips = ai.LabelledClips.open(tmp_path, sample_rate=RATE, labels=classifier.labels)
    with pytest.raises(ArgumentError, match="give the data set normalize='none'"):
        ai.score(classifier, clips, ["random"], **settings)
    background = ai.experiments.background_of_folder(tmp_path / "quiet", classifier)
    assert background.max() < classifier.transform(0.9 * tone(500)).db.max() - 20


def test_a_run_is_resumed_by_the_same_function_only(tmp_path):
    def answering(value):
        def predict(wavs):
            return np.tile([1 - value, value], (len(wavs), 1))

        return ai.Classifier.from_function(
            predict, ["low", "high"], sample_rate=RATE, duration=1.0, normalize="none"
        )

    clips = ai.as_dataset([(tone(500)[0], "low")], RATE, labels=["low", "high"])
    settings = {"masks": ["topK_50"], "nulls": [], "fill": "silence", "progress": False}
    first = ai.run("own", answering(0.1), clips, ["random"], tmp_path, **settings)
    assert first["predicted"].tolist() == ["low"]
    again = ai.run("own", answering(0.1), clips, ["random"], tmp_path, **settings)
    assert again["predicted"].tolist() == ["low"]
    with pytest.raises(ArgumentError, match=r"model\.predict"):
        ai.run("own", answering(0.9), clips, ["random"], tmp_path, **settings)


def test_scores_are_of_evaluation_mode_whatever_the_owner_does():
    module = nn.Sequential(BandEnergies(), nn.Dropout(0.5))
    classifier = waveform(module)
    expected = classifier.probabilities(two_tones())
    module.train()
    assert torch.equal(classifier.probabilities(two_tones()), expected)
    assert module.training


def test_a_masked_clip_is_bound_as_it_is_masked():
    classifier = waveform()
    spectrogram = classifier.transform(two_tones())
    masked = spectrogram.masked(torch.full_like(spectrogram.db, 0.9))
    heard_levels = classifier.bind(masked)(masked.db)
    assert torch.allclose(heard_levels, classifier.network(masked.to_wav()), atol=1e-4)


def test_a_model_that_divides_by_the_level_is_explained_in_windows():
    class Normalising(BandEnergies):
        def forward(self, wav):
            return super().forward(wav / wav.abs().amax(-1, keepdim=True))

    wav = torch.cat([tone(500), two_tones()], -1)
    result = interpret(waveform(Normalising()), wav, "integrated_gradients", target="high")
    assert result.attribution.values.isfinite().all()


def test_every_sample_is_heard_in_some_window():
    classifier = waveform()
    length = 3 * RATE
    spectrogram = classifier.transform(torch.zeros(1, 1, length))
    windows = ai.model.windows_of(classifier, spectrogram)
    counted = windows.cut_sounds(
        torch.arange(1.0, length + 1).reshape(1, 1, -1), classifier.transform.hop_length, RATE
    )
    covered = set(counted.flatten().int().tolist())
    assert covered >= set(range(1, length + 1 - classifier.transform.hop_length))


def test_out_of_memory_in_a_function_halves_the_batch():
    network = BandEnergies()

    def predict(wavs):
        if len(wavs) > 4:
            raise MemoryError
        return network(torch.from_numpy(wavs)).softmax(1).numpy()

    classifier = ai.Classifier.from_function(
        predict, LABELS, sample_rate=RATE, duration=1.0, normalize="none"
    )
    explainer = ai.Occlusion(classifier.network, (16, 50), (16, 50))
    assert interpret(classifier, two_tones(), explainer, target="high").heard["p_in"] > 0.5


def test_names_of_layers_are_the_owners():
    direct = small_classifier()
    foreign = with_front_end(direct)
    info = interpret(foreign, noise(1.0), "gradcam", target=0).attribution.info
    assert info["layer"].startswith("1.")
    named = ai.GradCAM(foreign.network, info["layer"])
    assert (
        interpret(foreign, noise(1.0), named, target=0).attribution.info["layer"] == (info["layer"])
    )


def test_a_factory_makes_what_was_saved(tmp_path):
    classifier = saved_waveform()
    classifier.labels = ("high", "low")
    with pytest.raises(ModelError, match="classifier has labels="):
        classifier.save(tmp_path / "a.safetensors", factory=f"{__name__}:saved_waveform")
