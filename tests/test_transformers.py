"""Classifier.from_transformers: real classes of transformers, small and with random weights.

Nothing is downloaded. Each model is saved into a folder and loaded from there.
"""

import sys
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

import audiointerp as ai
from audiointerp.errors import ArgumentError, ModelError
from audiointerp.model import bound_windows
from audiointerp.model.front_ends import (
    ClapFeatures,
    KaldiFeatures,
    StandardizedSound,
    WhisperFeatures,
)
from audiointerp.processing import resample

transformers = pytest.importorskip(
    "transformers", reason="transformers is not installed: pip install 'audiointerp[hf]'"
)

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning:transformers")

RATE = 16000
PROMPTS = ["This is a sound of a dog.", "Rain falls.", "A rooster crows."]
NAMES = {0: "dog", 1: "rain", 2: "rooster"}
SMALL = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "id2label": NAMES,
    "label2id": {name: number for number, name in NAMES.items()},
}
CONVOLUTIONS = {
    "conv_dim": (8, 8),
    "conv_kernel": (10, 8),
    "conv_stride": (20, 16),
    "num_feat_extract_layers": 2,
    "num_conv_pos_embeddings": 4,
    "num_conv_pos_embedding_groups": 2,
    "classifier_proj_size": 8,
}
ON_SOUNDS = {
    "Wav2Vec2": {},
    "Hubert": {},
    "WavLM": {"num_buckets": 8, "max_bucket_distance": 16},
    "UniSpeech": {},
    "UniSpeechSat": {},
    "Data2VecAudio": {"num_conv_pos_embeddings": 1, "conv_pos_kernel_size": 3},
    "SEW": {"squeeze_factor": 1},
    "Wav2Vec2Conformer": {},
}


def tokenizer():
    from tokenizers import pre_tokenizers

    tokens = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    tokens += sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: number for number, token in enumerate(tokens)}
    return transformers.RobertaTokenizer(vocab=vocabulary, merges=[])


def ast(problem_type=None):
    config = transformers.ASTConfig(
        **SMALL, num_mel_bins=32, max_length=100, problem_type=problem_type
    )
    extractor = transformers.ASTFeatureExtractor(num_mel_bins=32, max_length=100)
    return transformers.ASTForAudioClassification(config), extractor


def on_sounds(name):
    settings = {**SMALL, **CONVOLUTIONS, **ON_SOUNDS[name]}
    config = getattr(transformers, f"{name}Config")(**settings)
    model = getattr(transformers, f"{name}ForSequenceClassification")(config)
    return model, transformers.Wav2Vec2FeatureExtractor(do_normalize=name != "UniSpeechSat")


def whisper():
    config = transformers.WhisperConfig(
        d_model=16,
        encoder_layers=2,
        encoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_layers=1,
        decoder_attention_heads=2,
        decoder_ffn_dim=32,
        num_mel_bins=80,
        max_source_positions=50,
        classifier_proj_size=8,
        id2label=NAMES,
        label2id=SMALL["label2id"],
    )
    # One second rather than 30, so that the tests are fast.
    extractor = transformers.WhisperFeatureExtractor(chunk_length=1)
    return transformers.WhisperForAudioClassification(config), extractor


def clap(fusion=False):
    text = {**SMALL, "num_hidden_layers": 1, "vocab_size": 261, "max_position_embeddings": 64}
    audio = {
        "spec_size": 64,
        "num_mel_bins": 16,
        "window_size": 4,
        "patch_size": 4,
        "patch_stride": [4, 4],
        "depths": [1, 1],
        "num_attention_heads": [2, 2],
        "patch_embeds_hidden_size": 8,
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "enable_fusion": fusion,
        "aff_block_r": 2,
        "fusion_type": "aff_2d" if fusion else None,
    }
    config = transformers.ClapConfig(text_config=text, audio_config=audio, projection_dim=16)
    extractor = transformers.ClapFeatureExtractor(
        feature_size=16,
        sampling_rate=RATE,
        hop_length=160,
        max_length_s=2,
        fft_window_size=512,
        frequency_max=8000,
        truncation="fusion" if fusion else "rand_trunc",
    )
    return transformers.ClapModel(config), extractor


BUILDERS = {
    "ast": ast,
    **{name: lambda name=name: on_sounds(name) for name in ON_SOUNDS},
    "whisper": whisper,
    "clap": clap,
    "clap_fusion": lambda: clap(fusion=True),
}
EACH = pytest.mark.parametrize("name", BUILDERS)
ONE_OF_EACH_KIND = pytest.mark.parametrize("name", ["ast", "Wav2Vec2", "whisper", "clap"])


def build(name):
    """A model whose answers depend on the sound, and its extractor."""
    torch.manual_seed(0)
    model, extractor = BUILDERS[name]()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.mul_(4)
    return model.eval(), extractor


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """For each model: its folder, the model, and its extractor."""
    saved = {}
    for name in BUILDERS:
        model, extractor = build(name)
        folder = tmp_path_factory.mktemp(name)
        model.save_pretrained(folder)
        extractor.save_pretrained(folder)
        if name.startswith("clap"):
            tokenizer().save_pretrained(folder)
        saved[name] = folder, model, extractor
    return saved


def load(folders, name, **arguments):
    if name.startswith("clap"):
        arguments["prompts"] = PROMPTS
    return ai.Classifier.from_transformers(folders[name][0], duration=1.0, **arguments)


def noise(seconds=1.0, rate=RATE, seed=0):
    generator = torch.Generator().manual_seed(seed)
    envelope = torch.linspace(1e-3, 1, round(seconds * rate))
    return 0.3 * envelope * torch.randn(round(seconds * rate), generator=generator)


def pipeline(name, model, extractor):
    """The owner's own pipeline: the feature extractor, then the model, one clip at a time."""

    def probabilities(samples):
        inputs = dict(extractor(samples, sampling_rate=RATE, return_tensors="pt"))
        if name.startswith("clap"):
            inputs.update(tokenizer()(PROMPTS, padding=True, return_tensors="pt"))
        with torch.no_grad():
            outputs = model(**inputs)
        logits = outputs.logits_per_audio if name.startswith("clap") else outputs.logits
        return logits.softmax(-1)[0]

    return probabilities


SOUNDS = {
    "noise": noise(),
    "quiet": 1e-3 * noise(seed=1),
    "silence": torch.zeros(RATE),
    "tone": 0.5 * torch.sin(2 * torch.pi * 440 * torch.arange(RATE) / RATE),
    "short": noise(0.3),
}
EACH_SOUND = pytest.mark.parametrize("sound", SOUNDS)


def extracted(extractor, wav, rate=RATE):
    features = extractor(wav.numpy(), sampling_rate=rate, return_tensors="pt")
    return features[extractor.model_input_names[0]]


@EACH_SOUND
@pytest.mark.parametrize("settings", [{}, {"max_length": 50}, {"do_normalize": False}])
def test_ast_features_equal_the_extractors(sound, settings):
    extractor = transformers.ASTFeatureExtractor(**settings)
    wav = SOUNDS[sound]
    expected = extracted(extractor, wav)
    actual = KaldiFeatures(extractor)(wav[None])
    assert actual.shape == expected.shape
    assert (actual - expected).abs().max() < 1e-4


@EACH_SOUND
@pytest.mark.parametrize("do_normalize", [True, False])
def test_standardized_sounds_equal_the_extractors(sound, do_normalize):
    extractor = transformers.Wav2Vec2FeatureExtractor(do_normalize=do_normalize)
    wav = 0.1 + SOUNDS[sound]
    expected = extracted(extractor, wav)
    assert (StandardizedSound(extractor)(wav[None]) - expected).abs().max() < 1e-4


@EACH_SOUND
@pytest.mark.parametrize("settings", [{}, {"feature_size": 128}])
def test_whisper_features_equal_the_extractors_on_30_s(sound, settings):
    extractor = transformers.WhisperFeatureExtractor(**settings)
    wav = SOUNDS[sound]
    expected = extracted(extractor, wav)
    actual = WhisperFeatures(extractor)(wav[None])
    assert actual.shape == expected.shape == (1, extractor.feature_size, 3000)
    assert (actual - expected).abs().max() < 1e-4


@EACH_SOUND
@pytest.mark.parametrize("truncation", ["rand_trunc", "fusion"])
@pytest.mark.parametrize("padding", ["repeatpad", "repeat", "pad"])
def test_clap_features_equal_the_extractors(sound, truncation, padding):
    extractor = transformers.ClapFeatureExtractor(truncation=truncation, padding=padding)
    wav = SOUNDS[sound]
    expected = extracted(extractor, wav, 48000)
    actual = ClapFeatures(extractor)(wav[None])
    assert actual.shape == expected.shape
    assert (actual - expected).abs().max() < 1e-3


KINDS = {
    "AST": (KaldiFeatures, RATE, 1e-4),
    "Wav2Vec2": (StandardizedSound, RATE, 1e-4),
    "Whisper": (WhisperFeatures, RATE, 1e-4),
    "Clap": (ClapFeatures, 48000, 1e-3),
}


@pytest.mark.parametrize("kind", KINDS)
def test_features_of_real_clips_equal_the_extractors(clips, kind):
    front_end, rate, tolerance = KINDS[kind]
    extractor = getattr(transformers, f"{kind}FeatureExtractor")()
    for clip in clips:
        wav = resample(clip, 32000, rate).flatten()
        difference = front_end(extractor)(wav[None]) - extracted(extractor, wav, rate)
        assert difference.abs().max() < tolerance


@EACH
def test_front_ends_treat_each_sound_of_a_batch_alone(folders, name):
    module = load(folders, name).network.module
    wavs = torch.stack([noise(), 0.01 * noise(seed=1)])
    with torch.no_grad():
        together = module(wavs)
        alone = torch.cat([module(wavs[:1]), module(wavs[1:])])
    assert torch.allclose(together, alone, atol=1e-5)


@EACH
def test_a_folder_decides_as_its_owners_pipeline(folders, name):
    classifier = load(folders, name)
    _, model, extractor = folders[name]
    clips = [noise(), 0.01 * noise(seed=1), SOUNDS["tone"]]
    check = classifier.check(clips, reference=pipeline(name, model, extractor))
    assert check.agreement == 1
    assert check.largest_difference < 1e-4
    p = torch.cat([classifier.probabilities(clip[None, None]) for clip in clips])
    # Answers that do not depend on the sound would agree, too.
    assert (p - p[0]).abs().max() > 1e-3


@EACH
def test_labels_rate_and_output_are_the_models(folders, name):
    classifier = load(folders, name)
    assert classifier.labels == (tuple(PROMPTS) if "clap" in name else tuple(NAMES.values()))
    assert classifier.sample_rate == RATE
    assert classifier.output == "softmax"
    assert classifier.normalize == "none"
    assert not classifier.network.training


def test_the_duration_is_the_models_or_must_be_given(folders):
    for name, seconds in {"ast": 1.0, "whisper": 1.0, "clap": 2.0}.items():
        prompts = PROMPTS if name == "clap" else None
        classifier = ai.Classifier.from_transformers(folders[name][0], prompts=prompts)
        assert classifier.duration == pytest.approx(seconds)
        with pytest.raises(ArgumentError, match=f"duration=2.5 is more than the {seconds:g} s"):
            ai.Classifier.from_transformers(folders[name][0], prompts=prompts, duration=2.5)
    with pytest.raises(ArgumentError, match="any length; give duration="):
        ai.Classifier.from_transformers(folders["Wav2Vec2"][0])


@pytest.mark.parametrize("name", ["ast", "clap"])
def test_a_shorter_duration_is_padded_as_the_extractor_does(folders, name):
    prompts = PROMPTS if name == "clap" else None
    folder, model, extractor = folders[name]
    classifier = ai.Classifier.from_transformers(folder, prompts=prompts, duration=0.5)
    check = classifier.check([noise(0.5)], reference=pipeline(name, model, extractor))
    assert check.largest_difference < 1e-4


def test_several_labels_per_clip_are_independent(tmp_path):
    model, extractor = ast("multi_label_classification")
    classifier = ai.Classifier.from_transformers(model, extractor)
    assert classifier.output == "sigmoid"
    assert ai.Classifier.from_transformers(model, extractor, output="softmax").output == "softmax"
    model.config.problem_type = "regression"
    with pytest.raises(ModelError, match="trained for regression"):
        ai.Classifier.from_transformers(model, extractor)


@EACH
def test_the_loaded_model_returns_attention_weights(folders, name):
    classifier = load(folders, name)
    module = classifier.network.module
    inputs = module._features(noise()[None])
    if name.startswith("clap"):
        returned = module.model.audio_model(
            inputs, is_longer=torch.ones(1, 1, dtype=torch.bool), output_attentions=True
        )
    else:
        returned = module.model(inputs, output_attentions=True)
    weights = returned.attentions
    assert len(weights) == 2
    assert torch.allclose(weights[-1].sum(-1), torch.ones(()), atol=1e-5)


@EACH
def test_gradients_of_the_score_equal_finite_differences_by_the_levels(folders, name):
    classifier = load(folders, name)
    classifier.network.double()
    clip = classifier.transform(noise().double()[None, None])
    bound = classifier.bind(clip)

    def score(values):
        return bound(values).log_softmax(-1)[0, 1]

    generator = torch.Generator().manual_seed(1)
    levels = (clip.db - 3).requires_grad_()
    (gradient,) = torch.autograd.grad(score(levels), levels)
    for _ in range(3):
        direction = torch.randn(clip.db.shape, generator=generator, dtype=torch.float64)
        # Eager attention has a softmax in float32, whose rounding needs a step of this size.
        step = 1e-2
        with torch.no_grad():
            difference = score(levels + step * direction) - score(levels - step * direction)
        expected = float(difference / (2 * step))
        assert float((gradient * direction).sum()) == pytest.approx(expected, rel=1e-3)


METHODS = {
    "saliency": ai.Saliency,
    "integrated_gradients": partial(ai.IntegratedGradients, steps=4),
    "gradient_shap": partial(ai.GradientSHAP, samples=4),
    "occlusion": ai.Occlusion,
    "lime": partial(ai.LIME, samples=20),
    "kernel_shap": partial(ai.KernelSHAP, samples=130),
}


@ONE_OF_EACH_KIND
@pytest.mark.parametrize("method", METHODS)
def test_methods_explain_each_kind_of_model(folders, name, method):
    classifier = load(folders, name)
    wav = noise()[None, None]
    arguments = {}
    if method == "gradient_shap":
        arguments["background"] = classifier.transform(0.1 * noise(seed=1)[None, None]).db
    explainer = METHODS[method](classifier.network, **arguments)
    values = ai.interpret(classifier, wav, explainer, compared=0).attribution.values
    assert values.shape == classifier.transform(wav).db.shape
    assert values.isfinite().all()
    assert values.std() > 0


@ONE_OF_EACH_KIND
def test_a_loaded_model_with_its_extractor(folders, name):
    _, model, extractor = folders[name]
    prompts = PROMPTS if name == "clap" else None
    if name == "clap":
        extractor = transformers.ClapProcessor(extractor, tokenizer())
    classifier = ai.Classifier.from_transformers(
        model, extractor, prompts=prompts, duration=1.0, labels=["a", "b", "c"]
    )
    assert classifier.labels == ("a", "b", "c")
    assert classifier.network.module.model is model
    wav = noise()[None, None]
    expected = load(folders, name).probabilities(wav)
    assert torch.allclose(classifier.probabilities(wav), expected, atol=1e-5)


def test_a_loaded_model_knows_the_folder_that_it_came_from(folders):
    folder = folders["ast"][0]
    model = transformers.AutoModelForAudioClassification.from_pretrained(folder)
    assert ai.Classifier.from_transformers(model).labels == tuple(NAMES.values())


def test_a_half_model_takes_the_features_of_a_whole_sound(folders):
    classifier = load(folders, "ast")
    wav = noise()[None, None]
    expected = classifier.probabilities(wav)
    classifier.network.bfloat16()
    assert (classifier.probabilities(wav) - expected).abs().max() < 0.1


def test_ast_states_the_frequencies_of_its_bands(folders):
    classifier = load(folders, "ast")
    module = classifier.network.module
    assert len(module.cell_frequencies) == 32
    tone = torch.sin(2 * torch.pi * 1000 * torch.arange(RATE) / RATE)
    loudest = module.front_end(tone[None])[0].mean(0).argmax()
    spacing = module.cell_frequencies.diff()[loudest]
    assert abs(module.cell_frequencies[loudest] - 1000) < spacing


def test_ast_states_which_axis_of_its_patches_is_time(folders):
    classifier = load(folders, "ast")
    module = classifier.network.module
    patches = module.model.audio_spectrogram_transformer.embeddings.patch_embeddings.projection
    maps = []
    handle = patches.register_forward_hook(lambda _, inputs, output: maps.append(output[0]))
    wav = noise()
    quiet_end = wav.clone()
    quiet_end[-4000:] *= 0.01
    with torch.no_grad():
        module(wav[None]), module(quiet_end[None])
    handle.remove()
    changed = (maps[0] - maps[1]).abs().amax(0) > 1e-3
    # All bands change, and only the last frames do.
    assert changed.any(1).all()
    assert not changed.any(0)[: changed.shape[1] // 2].any()
    clip = classifier.transform(wav[None, None])
    assert classifier.bind(clip).activation_layout == "FT"
    assert load(folders, "whisper").bind(clip).activation_layout is None
    # A third of the map is of the padding.
    padded = ai.Classifier.from_transformers(folders["ast"][0], duration=2 / 3)
    clip = padded.transform(wav[None, None, : RATE * 2 // 3])
    whole = ai.GradCAM(classifier.bind(classifier.transform(wav[None, None])))
    part = ai.GradCAM(padded.bind(clip))(clip.db)
    rows, columns = whole(classifier.transform(wav[None, None]).db).info["grid"]
    assert part.info["grid"] == (rows, round(columns * 2 / 3))


def test_whispers_tokens_are_steps_in_time_of_its_configuration(folders):
    classifier = load(folders, "whisper")
    clip = classifier.transform(noise()[None, None])
    attribution = ai.GradCAM(classifier.bind(clip))(clip.db)
    assert attribution.info["layer"] == "model.encoder.layer_norm"
    assert attribution.info["grid"] == (1, 50)
    assert attribution.values.std(3).max() > 0


@pytest.mark.parametrize("method", [ai.GradCAM, ai.AttentionRelevance])
def test_the_map_of_a_padded_clip_is_cut_at_its_end(folders, method):
    """Whisper pads with silence, so the same clip with silence behind it is the same input."""
    whole = load(folders, "whisper")
    padded = ai.Classifier.from_transformers(folders["whisper"][0], duration=0.5)
    wav = noise()[None, None]
    wav[..., 8000:] = 0
    maps = []
    for classifier, sound in ((whole, wav), (padded, wav[..., :8000])):
        clip = classifier.transform(sound)
        attribution = method(classifier.bind(clip))(clip.db)
        maps.append(attribution.values[0, 0, 0])
        cells = attribution.info["grid"][1]
    assert cells == 25
    first_half = maps[0][: len(maps[1])]
    assert torch.corrcoef(torch.stack([first_half, maps[1]]))[0, 1] > 0.99


def test_a_grid_of_ones_own(folders):
    grid = ai.LogSTFT(RATE, 512, 128)
    assert load(folders, "ast", grid=grid).transform == grid
    with pytest.raises(ArgumentError, match="the grid is of 8000 Hz"):
        load(folders, "ast", grid=ai.LogSTFT(8000, 256, 64))


def refused(error, words, model, *arguments, **keywords):
    with pytest.raises(error, match=words) as caught:
        ai.Classifier.from_transformers(model, *arguments, **keywords)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 500
    return message


def test_no_folder_and_an_empty_folder(tmp_path):
    refused(ModelError, "no such folder; give that of save_pretrained", tmp_path / "absent")
    refused(ModelError, "no such folder", "./absent")
    refused(ModelError, f"{tmp_path}: its configuration cannot be loaded", tmp_path)
    # Some versions of transformers take a name for a type of model.
    (named := tmp_path / "my_wav2vec2").mkdir()
    refused(ModelError, "there is no config.json; give the folder of save_pretrained", named)


def test_a_hub_name_without_network(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    refused(ModelError, "no such folder, and by this name on the hub", "nobody/no-such-model")


def test_without_transformers(monkeypatch, folders):
    monkeypatch.setitem(sys.modules, "transformers", None)
    refused(ModelError, r"pip install 'audiointerp\[hf\]'", folders["ast"][0])


def test_models_that_do_not_classify(folders, tmp_path):
    config = transformers.Wav2Vec2Config(**SMALL, **CONVOLUTIONS)
    extractor = transformers.Wav2Vec2FeatureExtractor()
    ctc = transformers.Wav2Vec2ForCTC(config)
    refused(ModelError, "Wav2Vec2ForCTC does not classify.*from_waveform", ctc, extractor)
    refused(ModelError, "Linear is none of the models.*from_waveform", nn.Linear(2, 2))
    refused(ModelError, "none of the models", SimpleNamespace(config=config))
    bert = transformers.BertConfig(**SMALL)
    bert.save_pretrained(tmp_path)
    refused(ModelError, "a model of type 'bert' is none .*from_waveform", tmp_path)


def test_a_model_without_the_weights_of_its_classes(tmp_path):
    config = transformers.Wav2Vec2Config(**SMALL, **CONVOLUTIONS)
    transformers.Wav2Vec2Model(config).save_pretrained(tmp_path)
    transformers.Wav2Vec2FeatureExtractor().save_pretrained(tmp_path)
    refused(ModelError, "no weights for classifier.bias.*random", tmp_path, duration=1.0)


def test_extractors_that_do_not_fit(folders, tmp_path):
    folder = folders["ast"][0]
    other = transformers.Wav2Vec2FeatureExtractor()
    refused(ModelError, "is a ASTFeatureExtractor, not a Wav2Vec2", folder, other)
    longer = transformers.ASTFeatureExtractor(num_mel_bins=32, max_length=200)
    refused(ModelError, "makes 200 frames, the model takes 100", folder, longer)
    without = build("ast")[0]
    refused(ArgumentError, "made by code.*give extractor=", without)
    without.save_pretrained(tmp_path)
    refused(ModelError, "its feature extractor cannot be loaded", tmp_path)
    refused(
        ModelError,
        "enable_fusion=True",
        folders["clap_fusion"][0],
        folders["clap"][0],
        prompts=PROMPTS,
    )


def test_prompts_and_labels(folders):
    folder = folders["clap"][0]
    refused(ArgumentError, "CLAP needs prompts", folder)
    refused(ArgumentError, "CLAP needs prompts", folder, prompts="dog")
    refused(
        ArgumentError,
        "2 labels are given, the model has 3",
        folder,
        prompts=PROMPTS,
        labels=["a", "b"],
    )
    refused(ArgumentError, "prompts are for CLAP", folders["ast"][0], prompts=PROMPTS)
    # Three letters for three classes.
    refused(ArgumentError, "labels are a list .* not 'abc'", folders["ast"][0], labels="abc")
    refused(
        ArgumentError, "2 labels are given, the model has 3", folders["ast"][0], labels=["a", "b"]
    )
    _, model, extractor = folders["clap"]
    model, _ = build("clap")
    refused(ArgumentError, "ClapProcessor", model, extractor, prompts=PROMPTS)


def test_what_is_random_is_refused(folders):
    _, model, _ = folders["whisper"]
    noisy = transformers.WhisperFeatureExtractor(chunk_length=1, dither=1e-4)
    refused(ModelError, "adds noise", model, noisy)
    classifier = load(folders, "clap")
    with pytest.raises(ModelError, match="CLAP takes at most 2 s"):
        classifier.probabilities(noise(2.1)[None, None])


def test_a_long_clip_is_explained_in_windows(folders):
    classifier = load(folders, "Wav2Vec2")
    clip = classifier.transform(noise(2.5)[None, None])
    assert len(bound_windows(classifier, clip)) == 3
    result = ai.interpret(classifier, noise(2.5)[None, None], ai.Saliency)
    assert result.attribution.values.isfinite().all()


def test_numpy_is_what_the_reference_gets(folders):
    classifier = load(folders, "ast")
    received = []
    classifier.check([noise()], reference=lambda wav: received.append(wav) or "dog")
    assert isinstance(received[0], np.ndarray)
