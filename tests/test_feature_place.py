"""Models of sounds whose own features are the grid's: gradients are those of these features."""

import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import captum.attr
import pytest
import torch
import torchaudio
from conftest import around_peak, noise, small_classifier
from survival import Bursts
from torch import nn
from zoo_networks import OfficialCnn14

import audiointerp as ai
from audiointerp.errors import ArgumentError, ModelError
from audiointerp.experiments import Experiment, finished_methods, run
from audiointerp.experiments.fingerprint import ClipNames, fingerprint_of
from audiointerp.interpretation import METHODS, Captum
from audiointerp.interpretation.preserve import preserve_state
from audiointerp.model import optimized
from audiointerp.model.bound_model import BoundFeatures
from audiointerp.model.feature_place import watched
from audiointerp.scoring import Plan, build_explainer, explain_clip
from audiointerp.util import right_batch_norm_gradients

WEIGHTS = "weights/esc10_mel_cnn10.safetensors"
STEPS = 4
"""Of integrated gradients: the maps are to be equal with any number."""


class LibraryFrontEnd(nn.Module):
    """What the transform computes, ``(N, 1, F, T)`` of ``(N, L)``."""

    def __init__(self, transform):
        super().__init__()
        self.transform = transform

    def forward(self, wav):
        return self.transform(wav[:, None]).db


class TorchaudioFrontEnd(nn.Module):
    """Torchaudio's log mel, ``(N, 1, F, T)`` of ``(N, L)``."""

    def __init__(self, top_db=None, **settings):
        super().__init__()
        of_mel = {"n_mels": 64, "f_min": 50.0, "f_max": 14000.0} | settings
        self.mel = torchaudio.transforms.MelSpectrogram(32000, 1024, hop_length=320, **of_mel)
        self.in_db = torchaudio.transforms.AmplitudeToDB(top_db=top_db)

    def forward(self, wav):
        return self.in_db(self.mel(wav))[:, None]


class Detector(nn.Module):
    """A front end, a function of its features, and a network; returns a dictionary."""

    def __init__(self, network, function=lambda db: db, front_end=None):
        super().__init__()
        self.front_end = front_end or TorchaudioFrontEnd()
        self.function, self.network = function, network

    def forward(self, wav):
        return {"logits": self.network(self.function(self.front_end(wav)))}


def on_sounds(classifier, module=None, **arguments):
    settings = {
        "grid": classifier.transform,
        "normalize": classifier.normalize,
        "gradients": "features",
    }
    return ai.Classifier.from_waveform(
        module or Detector(classifier.network),
        classifier.labels,
        sample_rate=classifier.sample_rate,
        duration=classifier.duration,
        **settings | arguments,
    )


def explained(classifier, wav, method, target=0):
    explainer = method
    if isinstance(method, str):
        settings = {"steps": STEPS} if method == "integrated_gradients" else {}
        explainer = METHODS[method](classifier.network, **settings)
    return explain_clip(classifier, classifier.transform(wav), explainer, target)


def correlation(*attributions):
    values = [attribution.values.flatten() for attribution in attributions]
    return float(torch.corrcoef(torch.stack(values))[0, 1])


@pytest.fixture(scope="module")
def shipped():
    classifier = ai.Classifier.load(WEIGHTS)
    return ai.Classifier(classifier.network, classifier.transform, classifier.labels, 1.0)


@pytest.fixture(scope="module", params=["torchaudio", "library"])
def pair(request, shipped):
    """The shipped network, directly and behind a front end."""
    front_ends = {"torchaudio": TorchaudioFrontEnd(), "library": LibraryFrontEnd(shipped.transform)}
    module = nn.Sequential(front_ends[request.param], shipped.network)
    return shipped, on_sounds(shipped, module)


@pytest.mark.parametrize("method", ["saliency", "integrated_gradients", "gradcam"])
def test_maps_are_those_of_the_network_itself_on_real_clips(pair, clips, method):
    for clip in clips:
        maps = [explained(each, around_peak(clip, 32000), method) for each in pair]
        assert correlation(*maps) > 0.9999
        assert maps[1].info["gradients"] == ("layer" if method == "gradcam" else "features")


def test_random_gradients_are_those_of_the_network_itself(pair, clips):
    db = torch.cat([pair[0].transform(around_peak(clip, 32000)).db for clip in clips[:3]])
    for name, arguments in (("gradient_shap", [db[1:]]), ("smoothgrad", [])):
        methods = [METHODS[name](each.network, *arguments, samples=3) for each in pair]
        maps = [
            explained(each, around_peak(clips[0], 32000), method)
            for each, method in zip(pair, methods, strict=True)
        ]
        assert correlation(*maps) > 0.9999
        assert maps[1].info["gradients"] == "features"


@pytest.fixture
def direct():
    return small_classifier()


def test_through_the_sound_it_is_another_map(direct, clips):
    wav = around_peak(clips[0], 32000)
    heard = on_sounds(direct, gradients="sound")
    maps = [explained(each, wav, "saliency") for each in (direct, heard)]
    assert correlation(*maps) < 0.99
    assert maps[1].info["gradients"] == "sound"
    assert heard.features is None


def shifted(network):
    return Detector(network, lambda db: db + 10)


def without_gradients(network):
    class Frozen(TorchaudioFrontEnd):
        @torch.no_grad()
        def forward(self, wav):
            return super().forward(wav)

    return Detector(network, front_end=Frozen())


def with_a_channel(network):
    """Takes ``(N, 1, L)`` alone, so its front end makes five axes."""

    class Squeezed(nn.Module):
        def forward(self, features):
            assert features.ndim == 5
            return network(features[:, 0])

    class FiveAxes(TorchaudioFrontEnd):
        def forward(self, wav):
            assert wav.ndim == 3
            return super().forward(wav)

    return nn.Sequential(FiveAxes(), Squeezed())


def turned_and_scaled(network):
    """Standardised natural logarithms, ``(N, T, F)``, computed by functions alone."""

    class Behind(nn.Module):
        def __init__(self):
            super().__init__()
            self.network = network

        def forward(self, features):
            return self.network.forward((features * 4 - 20).transpose(1, 2)[:, None])

    class Whole(nn.Module):
        def __init__(self):
            super().__init__()
            self.front_end, self.behind = TorchaudioFrontEnd(), Behind()

        def forward(self, wav):
            power = 10 ** (self.front_end.forward(wav) / 10)
            db = 10 * power.clamp_min(1e-10).log10()
            return self.behind(((db + 20) / 4)[:, 0].transpose(1, 2)).softmax(1).log()

    return Whole()


@pytest.mark.parametrize(
    ("make", "place", "arguments"),
    [
        (Detector, "the input of network", {}),
        (Detector, "the input of network", {"max_batch": 1}),
        (shifted, "the input of network", {}),
        (without_gradients, "the input of network", {}),
        (with_a_channel, "the input of 1", {"shape": "NCL"}),
        (turned_and_scaled, "the input of behind", {}),
    ],
    ids=["dictionary", "one at a time", "a function between", "no_grad", "channel", "functions"],
)
def test_features_are_found_where_the_owner_computes_them(direct, make, place, arguments):
    foreign = on_sounds(direct, make(direct.network), **arguments)
    assert str(foreign.features) == place
    wav = noise(1.0)
    spectrogram = direct.transform(wav)
    bound = foreign.bind(spectrogram).for_gradients
    assert isinstance(bound, BoundFeatures)
    assert torch.allclose(
        bound(spectrogram.db).log_softmax(1), foreign.logits(wav).log_softmax(1), atol=1e-4
    )
    versions = torch.cat([spectrogram.db - 10, spectrogram.db * 0.5])
    offset = 10 if make is shifted else 0
    expected = direct.network(versions + offset)
    assert torch.allclose(bound(versions).log_softmax(1), expected.log_softmax(1), atol=1e-3)
    if make is Detector:
        maps = [explained(each, wav, "saliency", 1) for each in (direct, foreign)]
        assert correlation(*maps) > 0.9999
    assert explained(foreign, wav, "saliency", 1).values.abs().max() > 0


def test_panns_as_published():
    """Their front end is functions alone, and batch normalisation of the bands comes after it."""
    torch.manual_seed(0)
    network = OfficialCnn14(3, 4)
    nn.init.uniform_(network.bn0.running_mean, -40, 0)
    nn.init.uniform_(network.bn0.running_var, 100, 400)
    for part in network.modules():
        if isinstance(part, nn.Conv2d):
            # With torch's own weights hardly anything of the input is left behind 12 layers.
            nn.init.kaiming_normal_(part.weight)
    grid = ai.LogMel(mel_scale="slaney", mel_norm="slaney")
    settings = {"sample_rate": 32000, "duration": 1.0, "normalize": "none", "grid": grid}
    foreign = ai.Classifier.from_waveform(
        network,
        ["a", "b", "c"],
        output="independent_probabilities",
        gradients="features",
        **settings,
    )
    assert str(foreign.features) == "the input of bn0"
    spectrogram = grid(noise(1.0))
    levels = spectrogram.db.clone().requires_grad_()
    # Torch computes wrong gradients of such a normalisation in this layout.
    with right_batch_norm_gradients(network):
        x = network.bn0(levels.permute(0, 2, 3, 1)).transpose(1, 3)
        for number, block in enumerate(network.blocks):
            x = nn.functional.avg_pool2d(block(x), 2 if number < 5 else 1)
        x = x.mean(3)
        logits = network.fc_audioset(network.fc1(x.amax(2) + x.mean(2)).relu())
        (expected,) = torch.autograd.grad(logits[0, 1], levels)
    values = explained(foreign, noise(1.0), "saliency", 1).values
    assert torch.corrcoef(torch.stack([values.flatten(), expected.flatten()]))[0, 1] > 0.9999


def with_offset(db):
    return 10 * (10 ** (db / 10) + 1e-6).log10()


def batch_standardised(db):
    return (db - db.mean()) / db.std()


class WithFunction(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.front_end, self.function = TorchaudioFrontEnd(), function

    def forward(self, wav):
        # Not as a module, so that what comes before the function is not seen.
        return self.function(self.front_end.in_db.forward(self.front_end.mel(wav)))[:, None]


DIFFERENT = {
    "mel_scale": lambda: TorchaudioFrontEnd(mel_scale="slaney", norm="slaney"),
    "bands": lambda: TorchaudioFrontEnd(f_max=13000.0),
    "offset": lambda: WithFunction(with_offset),
    "top_db": lambda: TorchaudioFrontEnd(top_db=80.0),
    "batch statistics": lambda: WithFunction(batch_standardised),
    "per clip": lambda: WithFunction(lambda db: db - db.mean((1, 2), keepdim=True)),
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_a_front_end_that_differs_a_little_is_not_taken_as_equal(direct, name):
    module = nn.Sequential(DIFFERENT[name](), direct.network)
    with pytest.raises(ModelError, match=r"dB apart.* or give gradients='sound'"):
        on_sounds(direct, module)
    # One by one, since masks in a batch with others would be heard otherwise.
    max_batch = 1 if name == "batch statistics" else None
    heard = on_sounds(direct, module, gradients="sound", max_batch=max_batch)
    assert explained(heard, noise(1.0), "saliency").info["gradients"] == "sound"


@pytest.mark.parametrize("grid", [ai.LogMel(n_mels=40), None], ids=["40 bands", "default"])
def test_features_of_another_shape_are_refused(direct, grid):
    with pytest.raises(ModelError, match=r"no part of Detector makes features of the shape of Log"):
        on_sounds(direct, grid=grid)


class NotHere(nn.Module):
    def forward(self, wav):
        raise ValueError("one second, please")


def test_a_module_that_cannot_take_the_sounds_is_refused(direct):
    with pytest.raises(ModelError, match="one second, please"):
        on_sounds(direct, NotHere())


def test_an_unknown_word_is_refused(direct):
    with pytest.raises(ArgumentError, match="gradients"):
        on_sounds(direct, gradients="feature")


class TwoPaths(Detector):
    """Decides by its features, and by the loudness of the sound too."""

    def forward(self, wav):
        loudness = wav.square().mean(1, keepdim=True).sqrt()
        return self.network(self.front_end(wav)) + 3 * loudness * torch.tensor([1.0, -1.0, 0.0])


class Twice(Detector):
    """Computes the features of the sound and of the sound at half its level."""

    def forward(self, wav):
        return self.network(self.front_end(wav)) + self.network(self.front_end(wav / 2))


@pytest.mark.parametrize(
    ("kind", "reason"),
    [(TwoPaths, "depend on the sound not only by"), (Twice, "is used more than once for each")],
)
def test_a_model_that_decides_by_more_than_its_features_is_refused(direct, kind, reason):
    with pytest.raises(ModelError, match=reason):
        on_sounds(direct, kind(direct.network))


class Cut(Detector):
    def forward(self, wav):
        return self.network(self.front_end(wav)).detach()


def test_a_model_without_gradients_is_refused(direct):
    with pytest.raises(ModelError, match="have no gradient by the input of network"):
        on_sounds(direct, Cut(direct.network))


def test_by_default_nothing_is_run(direct):
    class Counted(Detector):
        calls = 0

        def forward(self, wav):
            self.calls += 1
            return super().forward(wav)

    module = Counted(direct.network)
    assert on_sounds(direct, module, gradients="sound").features is None
    assert module.calls == 0


def test_what_is_heard_goes_through_the_sound(direct):
    wav = noise(1.0)
    models = [on_sounds(direct, gradients=given) for given in ("features", "sound")]
    for method in ("occlusion", "rise"):
        settings = {"samples": 20} if method == "rise" else {"patch": (32, 50), "stride": (32, 50)}
        methods = [METHODS[method](each.network, **settings) for each in models]
        maps = [
            explained(each, wav, explainer) for each, explainer in zip(models, methods, strict=True)
        ]
        assert maps[0].values.equal(maps[1].values)
        assert "gradients" not in maps[0].info
    mask = torch.zeros(64, 101)
    mask[:20] = 1
    results = [ai.interpret(each, wav, "saliency", mask, compared=0) for each in models]
    assert results[0].on == "audio"
    assert dict(results[0].scores) == dict(results[1].scores)
    assert dict(results[0].heard) == dict(results[1].heard)
    assert results[0].kept.equal(results[1].kept)


def test_captum_classes_of_gradients_take_the_features_and_others_the_sound(direct):
    foreign, wav = on_sounds(direct), noise(1.0)
    by_gradients = build_explainer(captum.attr.InputXGradient, foreign)
    assert explained(foreign, wav, by_gradients).info["gradients"] == "features"
    in_direct = build_explainer(captum.attr.InputXGradient, direct)
    maps = explained(foreign, wav, by_gradients), explained(direct, wav, in_direct)
    assert correlation(*maps) > 0.9999
    window = {"sliding_window_shapes": (1, 64, 50), "strides": (1, 64, 50)}
    by_sounds = Captum(foreign.network, captum.attr.Occlusion, name="hidden", **window)
    assert "gradients" not in explained(foreign, wav, by_sounds).info


def noise_tunnel(score):
    return captum.attr.NoiseTunnel(captum.attr.InputXGradient(score))


def last_layer(score):
    layers = [part for part in score.modules() if isinstance(part, nn.Conv2d)]
    return captum.attr.LayerGradCam(score, layers[-1])


def hidden_parts(score):
    return captum.attr.FeatureAblation(score)


def own_object(score):
    return OwnGradient(score)


class OwnGradient:
    def __init__(self, score):
        self.score = score

    def attribute(self, db):
        return torch.autograd.grad(self.score(db).sum(), db)[0]


@pytest.mark.parametrize(
    ("make", "gradients"),
    [
        (lambda score: captum.attr.IntegratedGradients(score), "sound"),
        (noise_tunnel, "sound"),
        (own_object, "sound"),
        (last_layer, "layer"),
        (hidden_parts, None),
    ],
    ids=["integrated gradients", "NoiseTunnel", "own object", "a layer", "no gradients"],
)
def test_which_gradients_a_function_takes_is_said(direct, make, gradients):
    """What it makes is known only after the network was chosen."""
    foreign, wav = on_sounds(direct, Detector(direct.network)), noise(1.0)
    arguments = {"nt_samples": 2} if make is noise_tunnel else {}
    if make is hidden_parts:
        arguments = {"feature_mask": (lambda db: (torch.arange(db.numel()) % 2).view_as(db))}
    explainer = Captum(foreign.network, make, name="made", layout="TF", **arguments)
    assert explained(foreign, wav, explainer).info.get("gradients") == gradients
    in_direct = Captum(direct.network, make, name="made", layout="TF", **arguments)
    assert "gradients" not in explained(direct, wav, in_direct).info


@pytest.mark.parametrize(
    ("method", "gradients"),
    [
        ("saliency", "features"),
        ("gradcam", "layer"),
        ("layercam", "layer"),
        ("random", None),
    ],
)
def test_which_gradients_a_method_takes_is_said(direct, method, gradients):
    attribution = explained(on_sounds(direct), noise(1.0), method)
    assert attribution.info.get("gradients") == gradients
    words = {"features": "through the features", "layer": "of a layer"}
    shown = attribution._repr_html_()
    assert words.get(gradients, "") in shown
    assert ("gradients" in shown) == (gradients is not None)


def test_long_clips_are_explained_in_windows(direct):
    maps = [explained(each, noise(2.5), "saliency") for each in (direct, on_sounds(direct))]
    assert maps[1].info["gradients"] == "features"
    assert maps[1].values.shape == maps[0].values.shape
    assert len(maps[1].info["window_weights"][0]) == 3


@pytest.mark.parametrize("hertz", [300.0, 1000.0])
def test_quiet_bins_may_differ_by_rounding(direct, hertz):
    """The inverse of a clip's STFT is rounded, which can be a dB in bins beside a loud tone."""
    tone = 0.9 * torch.sin(2 * torch.pi * hertz * torch.arange(32000) / 32000)[None, None]
    foreign, spectrogram = on_sounds(direct), direct.transform(tone)
    features = foreign.network.module.front_end(spectrogram.to_wav()[:, 0])
    assert (features - spectrogram.db).abs().max() > 0.1
    assert foreign.bind(spectrogram).for_gradients.difference() < 0.01


def hooks_of(module):
    return [
        len(getattr(part, kind))
        for part in module.modules()
        for kind in ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks")
    ]


def test_hooks_do_not_stay(direct):
    module = Detector(direct.network)
    before = hooks_of(module)
    foreign = on_sounds(direct, module)
    explained(foreign, noise(1.0), "saliency")
    with pytest.raises(ModelError, match="dB apart"):
        on_sounds(direct, Detector(direct.network, front_end=TorchaudioFrontEnd(top_db=80.0)))
    bound = foreign.bind(direct.transform(noise(1.0))).for_gradients
    with pytest.raises(
        ModelError, match=r"is \(1, 64, 101\), not \(1, 64, 102\)|\(1, 1, 64, 101\)"
    ):
        bound(torch.zeros(1, 1, 64, 102))
    assert hooks_of(module) == before


def test_other_threads_hear_the_sound(direct):
    """While one thread explains, another one that scores gets the model's own outputs."""
    reached, go_on = threading.Event(), threading.Event()

    class Waiting(Detector):
        waits = False

        def forward(self, wav):
            if self.waits and threading.current_thread() is not threading.main_thread():
                reached.set()
                go_on.wait(5)
            return super().forward(wav)

    module = Waiting(direct.network)
    foreign, wav = on_sounds(direct, module), noise(1.0)
    spectrogram = direct.transform(wav)
    bound, expected = foreign.bind(spectrogram).for_gradients, foreign.logits(wav)
    changed = bound(spectrogram.db - 30)
    module.waits = True
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(lambda: bound(spectrogram.db - 30))
        assert reached.wait(5)
        assert foreign.logits(wav).equal(expected)
        go_on.set()
        assert torch.allclose(other.result(), changed, atol=1e-6)
    assert not torch.allclose(changed, expected, atol=1e-3)


def test_two_threads_explain_by_one_model(direct):
    """Each removes what its method left in the network, and nothing of the other one."""
    foreign = on_sounds(direct, Detector(small_classifier().network))
    before = hooks_of(foreign.network)
    sounds = [noise(1.0, seed=seed) for seed in (1, 2)]
    expected = [explained(foreign, wav, "saliency").values for wav in sounds]
    start = threading.Barrier(2)

    def explain(number):
        start.wait(10)
        return [explained(foreign, sounds[number], "saliency").values for _ in range(15)]

    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(explain, range(2)))
    for values, right in zip(results, expected, strict=True):
        assert all(torch.allclose(each, right, atol=1e-6) for each in values)
    assert hooks_of(foreign.network) == before


def test_hooks_of_another_thread_stay(direct):
    """An explanation that ends removes no hook that a thread needs to find features."""
    module = nn.Sequential(nn.Identity(), nn.Linear(4, 2))
    seen = []
    with preserve_state(module):
        watch = watched(module[0], "output", seen.append)
        watch.__enter__()
    module(torch.zeros(1, 4))
    watch.__exit__(None, None, None)
    assert len(seen) == 1
    assert sum(hooks_of(module)) == 0


class Trained(TorchaudioFrontEnd):
    """A front end with a weight."""

    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(1))

    def forward(self, wav):
        return super().forward(wav * self.gain)


def test_a_clip_with_other_features_is_refused(direct):
    """Weights may change after the comparison, e.g. by loading a file."""
    front_end, wav = Trained(), noise(1.0)
    foreign = on_sounds(direct, Detector(direct.network, front_end=front_end))
    assert explained(foreign, wav, "saliency").info["gradients"] == "features"
    front_end.gain.data.fill_(0.5)
    with pytest.raises(
        ModelError, match=r"of this clip is not what the grid computes \(up to 6\.0"
    ):
        explained(foreign, wav, "saliency")
    # In a data set it is an error of the clip, and no other map.
    rows = ai.score(foreign, [(wav[0, 0], "label0")], ["saliency"], ["bin"], progress=False)
    assert rows["status"].tolist() == ["error"]
    # What is heard does not need them.
    assert explained(foreign, wav, "layercam").values.isfinite().all()


class HalfNetwork(nn.Module):
    """A network in half precision behind features in single precision."""

    def __init__(self, network, gain):
        super().__init__()
        # The type of the first parameter is that of the sounds.
        self.gain = nn.Parameter(torch.ones(1, dtype=gain))
        self.front_end = TorchaudioFrontEnd()
        self.network = network.bfloat16()

    def forward(self, wav):
        return self.network(self.front_end(wav.float()).bfloat16())


def test_half_precision(direct):
    wav = noise(1.0)
    single = explained(direct, wav, "saliency")
    network = small_classifier().network
    foreign = on_sounds(direct, HalfNetwork(network, torch.float32))
    halved = explained(foreign, wav, "saliency")
    assert halved.info["gradients"] == "features"
    assert halved.values.dtype == torch.float32
    assert correlation(single, halved) > 0.9
    # Sounds that are rounded to 8 bits have other features.
    with pytest.raises(ModelError, match="dB apart"):
        on_sounds(direct, HalfNetwork(network, torch.bfloat16))


def test_a_scaled_grid(direct):
    """A transform that standardises each clip, and a front end that does so too."""
    grid = ai.LogMel(scaling=ai.processing.Scaling("natural", offset=1e-6, normalize="clip"))

    class Standardised(nn.Module):
        def forward(self, wav):
            return grid.scaled(grid(wav[:, None]).db)

    torch.manual_seed(0)
    network = nn.Sequential(nn.AvgPool2d(8), nn.Flatten(), nn.Linear(96, 3)).eval()
    foreign = on_sounds(direct, nn.Sequential(Standardised(), network), grid=grid)
    own = ai.Classifier(network, grid, direct.labels, 1.0)
    maps = [explained(each, noise(1.0), "saliency") for each in (own, foreign)]
    assert correlation(*maps) > 0.9999
    # Of silence there is no scale to compare by.
    silent = explained(foreign, torch.zeros(1, 1, 32000), "saliency")
    assert silent.values.isfinite().all()


def test_a_folded_copy_is_explained_by_its_features_too(direct):
    foreign, wav = on_sounds(direct), noise(1.0)
    fast = optimized(foreign, "folded")
    assert fast.network is not foreign.network
    maps = [explained(each, wav, "saliency") for each in (direct, fast)]
    assert maps[1].info["gradients"] == "features"
    assert correlation(*maps) > 0.9999


def test_it_is_said(direct):
    foreign = on_sounds(direct)
    assert repr(foreign).endswith("1 s, gradients of its features)")
    said = "of its features (the input of network), which are the transform's"
    assert said.replace("'", "&#x27;") in foreign._repr_html_()
    assert str(foreign.check([noise(1.0)[0, 0]])).splitlines()[1] == f"gradients: {said}"
    assert "through the features" in explained(foreign, noise(1.0), "saliency")._repr_html_()
    heard = on_sounds(direct, gradients="sound")
    assert "through the sound" in heard._repr_html_()
    assert "gradients" not in repr(heard)


def test_a_run_tells_both_ways_apart(direct):
    experiment, plan, clips = Experiment("own", "mel"), Plan(), ClipNames.of(["a.wav"])
    models = [
        fingerprint_of(experiment, None, on_sounds(direct, gradients=given), plan, clips)["model"]
        for given in ("features", "sound")
    ]
    assert "gradients" in models[0]
    assert "gradients" not in models[1]


def made_on_sounds():
    return on_sounds(small_classifier())


def test_it_is_pickled_and_saved(direct, tmp_path, monkeypatch):
    foreign = made_on_sounds()
    foreign.network.module.function = nn.Identity()
    # Bytes that were made here; no file is unpickled.
    again = pickle.loads(pickle.dumps(foreign))
    assert again.features == foreign.features
    maps = [explained(each, noise(1.0), "saliency") for each in (foreign, again)]
    assert maps[0].values.equal(maps[1].values)
    path = tmp_path / "model.safetensors"
    foreign.save(path, factory=f"{__name__}:made_on_sounds")
    loaded = ai.Classifier.load(path, factory=made_on_sounds)
    assert loaded.features == foreign.features


def test_weights_without_values_are_refused_in_one_line(direct):
    with pytest.raises(ArgumentError, match="are on the device meta, where they have no values"):
        on_sounds(direct, Detector(small_classifier().network.to("meta")))


@pytest.mark.parametrize("of_run", ["features", "sound"])
def test_a_run_is_shown_again_with_its_own_gradients_alone(direct, tmp_path, of_run):
    """Its other methods, which take none by the input, do not depend on them."""
    models = {given: on_sounds(direct, gradients=given) for given in ("features", "sound")}
    other = models["sound" if of_run == "features" else "features"]
    clips = Bursts(1)
    options = {"masks": ["bin"], "on": "audio", "nulls": [], "attributions": False}
    experiment = Experiment("own", "sounds")
    run(experiment, models[of_run], clips, ["saliency", "random"], tmp_path, **options)
    random, saliency = finished_methods([tmp_path])
    for classifier in (models[of_run], other):
        saliency.check(classifier, clips)
        assert random.explainer(classifier).name == "random"
    assert saliency.explainer(models[of_run]).name == "saliency"
    with pytest.raises(ArgumentError, match=r"saliency was run with gradients .* of the run"):
        saliency.explainer(other)
