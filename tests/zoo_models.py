"""The list of the models of docs/models.md, in the order of the page."""

from functools import partial

import birdnet
import torch
import zoo
import zoo_networks
from zoo import KINDS, Model, panns

from audiointerp import Cnn10
from audiointerp.model import initialise

RANDOM = "nothing: random weights"
THREE = f"{', '.join(KINDS)}: synthetic clips"
FEATURES = "Classifier({}, LogMel(16000, f_max=8000.0), labels, duration=3.0)"
LEVELS = "network_on_levels(front_end, network, LogMel(16000, f_max=8000.0))"
WAVEFORM = "Classifier.from_waveform({}, sample_rate={}, duration={}, normalize={!r}{})"
FUNCTION = "Classifier.from_function({}, sample_rate={}, duration={}, normalize={!r}{})"


def ours():
    """Cnn10 on the library's own features, untrained."""
    network = Cnn10(3, base_channels=16)
    initialise(network, 0)
    return {"network": network, "labels": KINDS}


def behind_torchaudio():
    """The same network behind torchaudio's log mel."""
    return {**ours(), "front_end": zoo_networks.TorchaudioLogMel()}


def on_features(name, code, things, what=THREE):
    """A network on the library's features, at 16 kHz."""
    clip = partial(zoo.synthetic_clip, 16000)
    return Model(name, FEATURES.format(code), things, what, clip)


def small(name, make, sample_rate, *, options="", output=None, what=THREE):
    """A small network on waveforms, trained here for some seconds."""
    labels = "labels" if output is None else "['knocking']"
    options += f", output={output!r}" if output else ""
    code = WAVEFORM.format(f"module, {labels}", sample_rate, 3.0, "peak", options)
    clip = partial(zoo.synthetic_clip, sample_rate)
    return Model(name, code, lambda: {"module": make(), "labels": KINDS}, what, clip)


def rooster(sample_rate, seconds):
    """The rooster of ESC-10 that BirdNET is asked about."""
    return partial(zoo.real_clip, birdnet.ROOSTER_CLIP, sample_rate, seconds)


def baby():
    """A crying baby, which silero-vad takes for speech in part."""
    return zoo.real_clip("1-187207-A-20", 16000, 2.0)


def ast():
    """An Audio Spectrogram Transformer of four layers, untrained."""
    transformers = zoo.package("transformers")
    bins = {"num_mel_bins": 64, "max_length": 300}
    config = transformers.ASTConfig(
        hidden_size=64,
        num_hidden_layers=4,
        num_attention_heads=4,
        intermediate_size=128,
        num_labels=3,
        **bins,
    )
    torch.manual_seed(0)
    model = transformers.ASTForAudioClassification(config)
    return {"model": model, "extractor": transformers.ASTFeatureExtractor(**bins)}


def wav2vec2():
    """A wav2vec2 of two layers, untrained."""
    transformers = zoo.package("transformers")
    config = transformers.Wav2Vec2Config(
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=128,
        conv_dim=(32,) * 7,
        num_conv_pos_embedding_groups=4,
        classifier_proj_size=32,
        num_labels=3,
    )
    torch.manual_seed(0)
    model = transformers.Wav2Vec2ForSequenceClassification(config)
    return {"model": model, "extractor": transformers.Wav2Vec2FeatureExtractor()}


MODELS = (
    on_features("Cnn10 of this library", "network", ours, RANDOM),
    on_features("Cnn10 behind torchaudio's log mel", LEVELS, behind_torchaudio, RANDOM),
    on_features("ResNet-18, 1 channel", "network", zoo.on_features("resnet18", 1), RANDOM),
    on_features(
        "ResNet-18, 3 channels", "ThreeChannels(network)", zoo.on_features("resnet18", 3), RANDOM
    ),
    on_features(
        "MobileNetV3 small, 1 channel", "network", zoo.on_features("mobilenet_v3_small", 1), RANDOM
    ),
    on_features(
        "EfficientNet-B0, 3 channels",
        "ThreeChannels(network)",
        zoo.on_features("efficientnet_b0", 3),
        RANDOM,
    ),
    on_features("Cnn10 of this library, half precision", "copy(network).half()", ours, RANDOM),
    small("Conv1d network, 8 kHz", zoo.conv1d, 8000),
    small("CRNN with its own front end", zoo.crnn, 16000, options=", network=module.conv2"),
    small("attention pooling, returns a tuple", zoo.attention, 16000, options=", select=0"),
    small("attention pooling, TorchScript", zoo.traced, 16000, options=", select=0"),
    small("one logit, (N,)", zoo.one_logit, 16000, output="binary", what="knocking or not"),
    Model(
        "PANNs' Cnn14 as published, returns a dictionary",
        WAVEFORM.format(
            "network, labels", 32000, 2.0, "none", ", output='independent_probabilities'"
        ),
        panns,
        RANDOM,
        rooster(32000, 2.0),
    ),
    Model(
        "Hugging Face: AST, four layers",
        "Classifier.from_transformers(model, extractor)",
        ast,
        RANDOM,
        partial(zoo.synthetic_clip, 16000),
    ),
    Model(
        "Hugging Face: wav2vec2, two layers",
        "Classifier.from_transformers(model, extractor, duration=3.0)",
        wav2vec2,
        RANDOM,
        partial(zoo.synthetic_clip, 16000),
    ),
    Model(
        "CREPE (torchcrepe), frames of 64 ms",
        WAVEFORM.format(
            "module, labels", 16000, 0.5, "none", ", output='independent_probabilities'"
        ),
        zoo.crepe,
        "pitch, 360 classes",
        zoo.tone,
    ),
    Model(
        "silero-vad, TorchScript",
        WAVEFORM.format("module, ['speech']", 16000, 2.0, "none", ", output='binary_probability'"),
        zoo.silero,
        "speech or not",
        baby,
        "speech",
    ),
    Model(
        "silero-vad, ONNX",
        FUNCTION.format("speech, ['speech']", 16000, 2.0, "none", ", output='binary_probability'"),
        zoo.silero_onnx,
        "speech or not",
        baby,
        "speech",
    ),
    Model(
        "BatDetect2, a list of calls",
        FUNCTION.format(
            "species, labels",
            256000,
            0.3,
            "none",
            ", output='independent_probabilities', max_batch=1",
        ),
        zoo.batdetect,
        "17 species of bats",
        zoo.bat_calls,
    ),
    Model(
        "BirdNET 2.4, tflite",
        FUNCTION.format("birds, labels", 48000, 3.0, "none", ", output='sigmoid', max_batch=1"),
        birdnet.birdnet,
        "6,522 species and sounds",
        rooster(48000, 3.0),
        birdnet.ROOSTER,
    ),
    Model(
        "random forest of mean spectra (scikit-learn)",
        FUNCTION.format("predict, labels", 16000, 3.0, "peak", ""),
        lambda: {"predict": zoo.forest(), "labels": KINDS},
        THREE,
        partial(zoo.synthetic_clip, 16000),
    ),
)
