"""Networks as people have them: on waveforms, with front ends of their own, with odd outputs."""

import math
from itertools import pairwise

import torch
import torchaudio
from torch import Tensor, nn
from torch.nn import functional

from audiointerp.processing.filters import mel_filters
from audiointerp.processing.spectrogram import LogMel


class LogMelFrontEnd(nn.Module):
    """A log-mel front end of one's own: natural logarithm, no padding, 40 bands."""

    def __init__(self, sample_rate, n_fft=512, bands=40):
        super().__init__()
        self.n_fft = n_fft
        self.register_buffer("window", torch.hann_window(n_fft))
        edges = torch.linspace(0, _mel(sample_rate / 2), bands + 2)
        hertz = 700 * (10 ** (edges / 2595) - 1)
        bins = torch.linspace(0, sample_rate / 2, n_fft // 2 + 1)
        rising = (bins - hertz[:-2, None]) / (hertz[1:-1] - hertz[:-2])[:, None]
        falling = (hertz[2:, None] - bins) / (hertz[2:] - hertz[1:-1])[:, None]
        self.register_buffer("filters", torch.minimum(rising, falling).clamp_min(0))
        # Grad-CAM reads which frequencies the rows of its maps are.
        self.cell_frequencies = hertz[1:-1].double()

    def forward(self, wav):
        """``(N, L)`` to ``(N, 1, F, T)``."""
        stft = torch.stft(
            wav, self.n_fft, self.n_fft // 2, window=self.window, center=False, return_complex=True
        )
        return torch.log(self.filters @ stft.abs().square() + 1e-6)[:, None]


def _mel(hertz):
    return 2595 * math.log10(1 + hertz / 700)


class Conv1dNetwork(nn.Module):
    """Convolutions on the samples, as M5 (Dai et al., ICASSP 2017) has them; ``(N, L)``."""

    def __init__(self, classes):
        super().__init__()
        sizes = ((1, 16, 80, 8), (16, 32, 8, 4), (32, 32, 4, 2))
        layers = []
        for inputs, outputs, kernel, stride in sizes:
            layers += [nn.Conv1d(inputs, outputs, kernel, stride), nn.BatchNorm1d(outputs)]
            layers += [nn.ReLU(), nn.MaxPool1d(4)]
        self.layers = nn.Sequential(*layers)
        self.head = nn.Linear(32, classes)

    def forward(self, wav):
        return self.head(self.layers(wav[:, None]).mean(2))


class CRNN(nn.Module):
    """Convolutions, then a GRU over time."""

    def __init__(self, classes, sample_rate=16000):
        super().__init__()
        self.front_end = LogMelFrontEnd(sample_rate)
        self.normalise = nn.BatchNorm2d(1)
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 16, 3, padding=1)
        self.rnn = nn.GRU(160, 32, batch_first=True, bidirectional=True)
        self.head = nn.Linear(64, classes)

    def forward(self, wav):
        x = self.normalise(self.front_end(wav))
        x = functional.max_pool2d(functional.relu(self.conv1(x)), (2, 2))
        x = functional.max_pool2d(functional.relu(self.conv2(x)), (2, 2))
        x, _ = self.rnn(x.permute(0, 3, 1, 2).flatten(2))
        return self.head(x.amax(1))


class AttentionPooling(nn.Module):
    """Frames are classified, and weighted by attention; returns a tuple."""

    def __init__(self, classes, sample_rate=16000):
        super().__init__()
        self.front_end = LogMelFrontEnd(sample_rate)
        self.normalise = nn.BatchNorm2d(1)
        layers = nn.Conv2d(1, 16, 3, padding=1), nn.ELU(), nn.AvgPool2d(2)
        layers += nn.Conv2d(16, 32, 3, padding=1), nn.ELU(), nn.AvgPool2d(2)
        self.layers = nn.Sequential(*layers)
        self.attention = nn.Linear(32, classes)
        self.head = nn.Linear(32, classes)

    def forward(self, wav):
        frames = self.layers(self.normalise(self.front_end(wav))).amax(2).transpose(1, 2)
        weights = self.attention(frames).softmax(1)
        return (self.head(frames) * weights).sum(1), weights


class OneLogit(nn.Module):
    """Is it there or not: one number per clip, ``(N,)``."""

    def __init__(self, sample_rate=16000):
        super().__init__()
        self.front_end = LogMelFrontEnd(sample_rate)
        self.layers = nn.Sequential(
            nn.BatchNorm2d(1), nn.Conv2d(1, 16, 5, stride=2), nn.GELU(), nn.Conv2d(16, 16, 3)
        )
        self.head = nn.Linear(16, 1)

    def forward(self, wav):
        return self.head(self.layers(self.front_end(wav)).amax((2, 3)))[:, 0]


class TorchaudioLogMel(nn.Module):
    """Natural logarithms of 64 mel bands at 16 kHz, ``(N, 1, F, T)``.

    >>> TorchaudioLogMel()(torch.zeros(1, 16000)).shape
    torch.Size([1, 1, 64, 51])
    """

    def __init__(self):
        super().__init__()
        self.mel = torchaudio.transforms.MelSpectrogram(
            16000, 1024, hop_length=320, n_mels=64, f_min=50.0, f_max=8000.0
        )

    def forward(self, wav: Tensor) -> Tensor:
        return self.mel(wav)[:, None].clamp_min(1e-10).log()


class OfficialCnn14(nn.Module):
    """PANNs' Cnn14 as published: from waveforms ``(N, L)`` to a dictionary, functional ReLUs.

    >>> OfficialCnn14(3, 4)(torch.zeros(1, 32000))["clipwise_output"].shape
    torch.Size([1, 3])
    """

    def __init__(self, classes, width=64):
        super().__init__()
        self.register_buffer("window", torch.hann_window(1024))
        filters = mel_filters(32000, 1024, 64, 50.0, 14000.0, "slaney").float()
        self.register_buffer("melW", filters)
        self.cell_frequencies = LogMel(mel_scale="slaney").frequencies
        self.bn0 = nn.BatchNorm2d(64)
        sizes = [1, *(width * 2**number for number in range(6))]
        self.blocks = nn.ModuleList(_Block(*pair) for pair in pairwise(sizes))
        self.fc1 = nn.Linear(sizes[-1], sizes[-1])
        self.fc_audioset = nn.Linear(sizes[-1], classes)

    def forward(self, wav: Tensor) -> dict[str, Tensor]:
        stft = torch.stft(wav, 1024, 320, window=self.window, return_complex=True)
        power = self.melW @ stft.abs().square()
        x = 10 * torch.log10(power.clamp_min(1e-10)).transpose(1, 2)[:, None]
        x = self.bn0(x.transpose(1, 3)).transpose(1, 3)
        for number, block in enumerate(self.blocks):
            x = functional.avg_pool2d(block(x), 2 if number < 5 else 1)
        x = x.mean(3)
        embedding = functional.relu_(self.fc1(x.amax(2) + x.mean(2)))
        logits = self.fc_audioset(embedding)
        return {"clipwise_output": torch.sigmoid(logits), "embedding": embedding}


class _Block(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(outputs), nn.BatchNorm2d(outputs)

    def forward(self, x):
        x = functional.relu_(self.bn1(self.conv1(x)))
        return functional.relu_(self.bn2(self.conv2(x)))


class FramesOfPitch(nn.Module):
    """The mean pitch of a clip, of a network on frames of 1024 samples at 16 kHz (CREPE)."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, wav):
        frames = wav.unfold(1, 1024, 512)
        mean, spread = frames.mean(2, keepdim=True), frames.std(2, keepdim=True)
        pitches = self.network(((frames - mean) / (spread + 1e-8)).flatten(0, 1))
        return pitches.reshape(len(wav), -1, 360).mean(1)


class LoudestSpeech(nn.Module):
    """The largest probability of speech in a clip, of a TorchScript network on 512 samples."""

    def __init__(self, vad):
        super().__init__()
        self.vad = vad

    def forward(self, wav):
        self.vad.reset_states()
        chunks = wav.unfold(1, 512, 512).unbind(1)
        return torch.stack([self.vad(chunk, 16000) for chunk in chunks]).amax(0)
