"""Recordings assembled from clips of ESC-10 over synthetic room noise, with their truth."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

import audiointerp as ai
from audiointerp.dataset import ESC50, synthetic_noise

RATE = 32000
FRAME = RATE // 20
"""The samples of a frame in which a clip's level is measured."""
AUDIBLE = 40.0
"""dB below the loudest frame, or the loudest bin, of a clip up to which it counts as audible."""
LONGEST_GAP = 1.0
"""Seconds below that level that do not end a sound: between the ticks of a clock."""
FADE = RATE // 200
"""The samples over which a sound begins and ends."""
LEFT_OUT = 0.025
"""The share of the audible bins above, and below, the band of a sound."""
PIECE, PIECES = 60, 3
"""The seconds of a piece of noise, and how many there are before the first one comes again."""


@dataclass(frozen=True)
class Made:
    """A recording: its SNR in dB, its sounds and its noise ``(L,)``, their sum, and its events."""

    snr: float
    sounds: Tensor
    noise: Tensor
    events: list[ai.Event]

    @property
    def wav(self) -> Tensor:
        """``(1, 1, L)``, with a peak of 0.9."""
        both = self.sounds + self.noise
        return (0.9 * both / both.abs().max())[None, None]


def trimmed(wav: Tensor) -> Tensor:
    """The loudest stretch of a clip ``(L,)`` without its silent parts, with an RMS of 1.

    A stretch is what lies within AUDIBLE of the loudest frame, without longer gaps.
    """
    power = wav[: len(wav) // FRAME * FRAME].view(-1, FRAME).double().square().mean(1)
    audible = torch.nonzero(power > power.max() * 10 ** (-AUDIBLE / 10)).flatten().tolist()
    stretches = [[audible[0], audible[0] + 1]]
    for number in audible[1:]:
        if (number - stretches[-1][1]) * FRAME > LONGEST_GAP * RATE:
            stretches.append([number, number])
        stretches[-1][1] = number + 1
    first, end = max(stretches, key=lambda stretch: float(power[slice(*stretch)].sum()))
    sound = wav[first * FRAME : end * FRAME].clone()
    ramp = torch.linspace(0, 1, FADE)
    sound[:FADE] *= ramp
    sound[-FADE:] *= ramp.flip(0)
    return sound / sound.square().mean().sqrt()


def clips_of(root: str, folds: Sequence[int], label: str | None = None) -> list[tuple[str, Tensor]]:
    """The label and the trimmed sound of each clip; all labels, or one."""
    dataset = ESC50(root, tuple(folds), "esc10", sample_rate=RATE)
    names = [dataset.labels[dataset.clips[index].target] for index in range(len(dataset))]
    return [
        (name, trimmed(dataset[index][0][0]))
        for index, name in enumerate(names)
        if label is None or name == label
    ]


def placed(
    clips: Sequence[tuple[str, Tensor]], seed: int, seconds: int
) -> tuple[Tensor, list[ai.Event]]:
    """Put the sounds in random order into a recording; each at a random time of its own slot."""
    generator = torch.Generator().manual_seed(seed)
    sounds, events = torch.zeros(seconds * RATE), []
    slot = len(sounds) // len(clips)
    for place, number in enumerate(torch.randperm(len(clips), generator=generator).tolist()):
        label, sound = clips[number]
        free = slot - len(sound)
        begin = place * slot + int(free * torch.rand((), generator=generator))
        sounds[begin : begin + len(sound)] = sound
        events.append(ai.Event(begin / RATE, (begin + len(sound)) / RATE, label))
    return sounds, events


def room_noise(seed: int, seconds: int) -> Tensor:
    """Noise of a ventilated room, with an RMS of 1, as long as the recording."""
    pieces = [
        synthetic_noise("room", RATE, PIECE, seed=PIECES * seed + number)[0, 0]
        for number in range(PIECES)
    ]
    level = torch.cat(pieces).square().mean().sqrt()
    return torch.cat(pieces * -(-seconds // (PIECE * PIECES)))[: seconds * RATE] / level


def recordings(
    clips: Sequence[tuple[str, Tensor]], snrs: Sequence[float], seed: int, seconds: int
) -> list[Made]:
    """The same recording at several SNRs: the mean power of each sound over that of the noise."""
    sounds, events = placed(clips, seed, seconds)
    noise = room_noise(seed, seconds)
    made = []
    for snr in snrs:
        scaled = noise * 10 ** (-snr / 20)
        with_bands = [with_band(event, sounds, scaled) for event in events]
        made.append(Made(snr, sounds, scaled, with_bands))
    return made


def with_band(event: ai.Event, sounds: Tensor, noise: Tensor) -> ai.Event:
    """An event with the band of its audible bins: within AUDIBLE of its maximum, above the noise.

    The highest and the lowest LEFT_OUT of these are left out. Without any, it has no band.
    """
    part = slice(round(event.start * RATE), round(event.end * RATE))
    transform = ai.LogSTFT(RATE, n_fft=1024, hop_length=320)
    levels, noise_levels = (transform(wav[None, None, part]).db[0, 0] for wav in (sounds, noise))
    is_audible = (levels > levels.max() - AUDIBLE) & (levels > noise_levels)
    rows = torch.nonzero(is_audible)[:, 0].double()
    if not len(rows):
        return event
    low, high = rows.quantile(torch.tensor([LEFT_OUT, 1 - LEFT_OUT], dtype=torch.float64)).tolist()
    width = RATE / transform.n_fft
    return replace(event, low=max(0.0, low - 0.5) * width, high=(high + 0.5) * width)
