"""Ten sounds that a listener can name, ``(L,)`` float32, each varied by its draw.

Each function takes the random parameters and the duration in seconds. The level is arbitrary.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from .draw import Draw
from .synthesis import coloured_noise, curve, decay, fade, glide, ring, strikes


def _times(draw: Draw, seconds: float) -> Tensor:
    return torch.arange(round(seconds * draw.sample_rate)) / draw.sample_rate


def _at(draw: Draw, seconds: Sequence[float]) -> Tensor:
    """Times as numbers of samples."""
    return torch.tensor([round(second * draw.sample_rate) for second in seconds])


def _burst(draw: Draw, length: int, constant: float, slope: float) -> Tensor:
    """A burst of coloured noise that decays with the time constant ``constant``."""
    rate = draw.sample_rate
    noise = coloured_noise(length, rate, 200, rate / 2, slope, draw.generator)
    return noise * decay(length, rate, constant)


def _siren(draw: Draw, seconds: float) -> Tensor:
    """A horn whose pitch wails up and down."""
    times = _times(draw, seconds)
    low, octaves = draw.pitch(350, 900), draw.between(0.8, 1.5)
    period, start = draw.between(0.9, 2.2), draw.between(0, 1)
    wail = 0.5 - 0.5 * torch.cos(2 * torch.pi * (times / period + start))
    softness = draw.between(0.4, 1.6)
    partials = [number**-softness for number in range(1, 11)]
    tone = glide(low * 2 ** (octaves * wail), draw.sample_rate, partials)
    return tone * fade(len(tone), draw.sample_rate, 0.08)


def _ticking_clock(draw: Draw, seconds: float) -> Tensor:
    """Sharp regular ticks, tick and tock in turn."""
    rate, length = draw.sample_rate, round(seconds * draw.sample_rate)
    interval = draw.between(0.17, 0.4)
    onsets = torch.arange(0.02, seconds, interval)
    pitch, detune = draw.pitch(900, 3500), draw.between(0.7, 0.92)
    sound = torch.zeros(length)
    for parity, factor in enumerate((1.0, detune)):
        ratios = draw.jitter([1.0, 1.62, 2.38, 3.3], 0.12)
        hertz = [pitch * factor * ratio for ratio in ratios]
        constants = draw.jitter([0.009, 0.006, 0.004, 0.003], 0.4)
        tick = ring(hertz, constants, draw.jitter([1.0, 0.8, 0.6, 0.5], 0.4), rate // 10, rate)
        tick += draw.between(0.2, 0.6) * _burst(draw, rate // 10, 0.0012, 0)
        # The escapement: a lighter click before the loud one.
        before = draw.between(0.008, 0.02)
        places = (onsets[parity::2, None] + torch.tensor([0.0, before])).flatten() * rate
        sizes = torch.tensor([draw.between(0.2, 0.5), 1.0]).repeat(len(places) // 2)
        sound += strikes(places.round().long(), sizes, tick, length)
    return sound


def _knocking(draw: Draw, seconds: float) -> Tensor:
    """Groups of three to five knocks on a wooden door."""
    rate = draw.sample_rate
    pitch = draw.pitch(90, 420)
    ratios = draw.jitter([1.0, 1.65, 2.5, 3.8, 5.9], 0.1)
    constants = [draw.between(0.02, 0.05) / ratio**0.6 for ratio in ratios]
    levels = draw.jitter([1.0, 0.8, 0.55, 0.4, 0.25], 0.4)
    knock = ring([pitch * ratio for ratio in ratios], constants, levels, rate // 4, rate)
    knock += draw.between(0.1, 0.5) * _burst(draw, rate // 4, 0.004, draw.between(-5, -1))
    interval, pause, knocks = draw.between(0.13, 0.24), draw.between(0.35, 0.6), draw.whole(3, 5)
    onsets: list[float] = []
    start = 0.01
    while start < seconds:
        onsets += [start + interval * number + draw.between(0, 0.015) for number in range(knocks)]
        start = onsets[-1] + interval + pause
    sizes = 0.6 + 0.4 * draw.uniform(len(onsets))
    return strikes(_at(draw, onsets), sizes, knock, round(seconds * rate))


def _bird_chirps(draw: Draw, seconds: float) -> Tensor:
    """Groups of short chirps, each a rapid sweep; the chirps of a group are alike."""
    rate = draw.sample_rate
    sound = torch.zeros(round(seconds * rate))
    low = draw.pitch(1700, 4500)
    start = 0.0
    while start < seconds:
        bends = [draw.pitch(low, 2.1 * low) for _ in range(3)]
        duration, gap = draw.between(0.05, 0.13), draw.between(0.03, 0.09)
        for _ in range(draw.whole(2, 6)):
            times = _times(draw, duration)
            shape = curve(times / duration, [(0, bends[0]), (0.5, bends[1]), (1, bends[2])])
            chirp = glide(draw.between(0.96, 1.04) * shape, rate, [1.0, 0.12])
            chirp *= draw.between(0.5, 1) * torch.sin(torch.pi * times / duration)
            _add(sound, chirp, round(start * rate))
            start += duration + gap
        start += draw.between(0.1, 0.35)
    return sound


def _engine(draw: Draw, seconds: float) -> Tensor:
    """Explosions of four unequal cylinders, some tens per second, through an exhaust."""
    rate, times = draw.sample_rate, _times(draw, seconds)
    firing = draw.pitch(26, 70)
    wobble = coloured_noise(len(times), rate, 0.5, 8, -3, draw.generator)
    revs = [(0, 1.0), (seconds / 2, draw.between(0.85, 1.35)), (seconds, draw.between(0.9, 1.2))]
    cycles = torch.cumsum(firing / rate * curve(times, revs) * (1 + 0.015 * wobble), 0)
    onsets = cycles.floor().diff().nonzero()[:, 0]
    cylinders = torch.tensor([draw.between(0.2, 1) for _ in range(4)])
    sizes = cylinders.repeat(1 + len(onsets) // 4)[: len(onsets)]
    sizes = sizes * (0.85 + 0.3 * draw.uniform(len(onsets)))
    hertz = [draw.pitch(70, 180), draw.pitch(200, 600), draw.pitch(700, 2200)]
    constants, levels = draw.jitter([0.012, 0.006, 0.002], 0.4), draw.jitter([1.0, 0.8, 0.5], 0.5)
    blasts = strikes(onsets, sizes, ring(hertz, constants, levels, rate // 12, rate), len(times))
    # The exhaust blows in the rhythm of the cylinders.
    gas = coloured_noise(len(times), rate, 100, rate / 2, draw.between(-6, -1), draw.generator)
    gas *= torch.exp(-(cycles % 1) / (firing * 0.005))
    sound = blasts / blasts.std() + draw.between(0.2, 0.7) * gas / gas.std()
    return sound * fade(len(times), rate, 0.15)


def _rain(draw: Draw, seconds: float) -> Tensor:
    """Dense drops of all sizes, some that ring, over a hiss."""
    rate, length = draw.sample_rate, round(seconds * draw.sample_rate)
    slope, low = draw.between(-5, 1), draw.pitch(150, 1500)
    hiss = coloured_noise(length, rate, low, rate / 2, slope, draw.generator)
    drops = round(seconds * draw.between(150, 500))
    drop = _burst(draw, rate // 50, draw.between(0.0008, 0.002), slope)
    # The size of drops is heavy-tailed: a few are loud.
    sizes = draw.noise(drops) * draw.uniform(drops).clamp_min(0.02) ** -0.5
    patter = strikes((draw.uniform(drops) * length).long(), sizes, drop, length)
    rings = round(seconds * draw.between(10, 30))
    pitch = draw.pitch(500, 2500)
    hertz = [pitch * factor for factor in (0.8, 1.0, 1.3)]
    bubble = ring(hertz, [0.008, 0.006, 0.005], draw.jitter([1.0] * 3, 0.5), rate // 20, rate)
    plinks = strikes((draw.uniform(rings) * length).long(), draw.uniform(rings), bubble, length)
    sound = draw.between(0.4, 0.9) * hiss + patter / patter.std() + 0.5 * plinks / plinks.std()
    return sound * fade(length, rate, 0.2)


def _whistle(draw: Draw, seconds: float) -> Tensor:
    """A person whistling: almost pure notes that glide, with vibrato and a little breath."""
    rate, times = draw.sample_rate, _times(draw, seconds)
    centre = draw.pitch(700, 2300)
    points, level, start = [], [(0.0, 0.0)], 0.0
    while start < seconds:
        note, gap = draw.between(0.25, 0.6), draw.between(0.04, 0.12)
        points += [(start, draw.between(-0.4, 0.4)), (start + note, draw.between(-0.4, 0.4))]
        level += [(start + 0.05, 1.0), (start + note, draw.between(0.6, 1.0))]
        start += note + gap
        level.append((start, 0.0))
    vibrato = torch.sin(2 * torch.pi * draw.between(4.5, 6.5) * times)
    octaves = curve(times, points) + draw.between(0.005, 0.025) * vibrato
    tone = glide(centre * 2**octaves, rate, [1.0, draw.between(0.01, 0.06)])
    breath = coloured_noise(len(times), rate, 400, rate / 2, -4, draw.generator)
    sound = (tone + draw.between(0.02, 0.05) * breath) * curve(times, level)
    return sound * fade(len(times), rate, 0.02)


def _alarm(draw: Draw, seconds: float) -> Tensor:
    """Electronic beeps, a high and a low one in turn."""
    rate, times = draw.sample_rate, _times(draw, seconds)
    period, share = draw.between(0.12, 0.3), draw.between(0.5, 0.85)
    pitch, interval = draw.pitch(500, 2200), draw.between(1.15, 1.6)
    number = (times / period).floor()
    since = times - number * period
    tone = glide(torch.where(number % 2 == 0, pitch, pitch * interval), rate, _square(draw))
    edge = 0.004
    gate = ((since / edge).clamp(0, 1) * ((share * period - since) / edge).clamp(0, 1)).sqrt()
    return tone * gate


def _square(draw: Draw) -> list[float]:
    """The partials of a square wave, more or less muffled."""
    softness = draw.between(0.8, 2.0)
    return [number**-softness * (number % 2) for number in range(1, 10)]


def _footsteps(draw: Draw, seconds: float) -> Tensor:
    """Steps on gravel: the crunch of the heel, then that of the toe, and a light thud."""
    rate, length = draw.sample_rate, round(seconds * draw.sample_rate)
    heels = torch.arange(0.01, seconds, draw.between(0.4, 0.6))
    heels = heels + 0.02 * draw.uniform(len(heels))
    toes = heels + draw.between(0.11, 0.17)
    # Stones move less and less after the foot has landed, and longer under the toe.
    landings = torch.cat([heels, toes])[:, None]
    spread = torch.tensor([0.02, 0.035]).repeat_interleave(len(heels))[:, None]
    stones = draw.uniform(len(landings) * 160).clamp_min(0.02).view(len(landings), -1)
    onsets = landings - spread * stones.log()
    weights = 1 - 0.4 * draw.uniform(len(onsets))
    sizes = draw.noise(onsets.numel()) ** 3 * weights.repeat_interleave(160)
    grain = _burst(draw, rate // 60, draw.between(0.0006, 0.002), draw.between(-5, 0))
    crunch = strikes((onsets.flatten() * rate).long(), sizes, grain, length)
    thud = ring([draw.pitch(60, 140)], [0.025], [1.0], rate // 8, rate)
    thuds = strikes((heels * rate).long(), weights[: len(heels)], thud, length)
    return crunch / crunch.abs().max() + draw.between(0.05, 0.2) * thuds


def _telephone_bell(draw: Draw, seconds: float) -> Tensor:
    """A clapper between two bells, 20 to 25 blows per second; rings and pauses."""
    rate, length = draw.sample_rate, round(seconds * draw.sample_rate)
    pitch = draw.pitch(550, 1600)
    blows = torch.arange(0.0, seconds, 1 / draw.between(20, 25))
    ringing, pause = draw.between(0.8, 1.4), draw.between(0.4, 0.6)
    blows = blows[blows % (ringing + pause) < ringing]
    sound = torch.zeros(length)
    for parity, factor in enumerate((1.0, draw.between(1.12, 1.32))):
        ratios = draw.jitter([1.0, 2.02, 2.74, 3.76, 5.2], 0.03)
        constants = draw.jitter([0.14, 0.1, 0.08, 0.06, 0.04], 0.3)
        levels = draw.jitter([0.8, 1.0, 0.8, 0.6, 0.5], 0.5)
        hertz = [pitch * factor * ratio for ratio in ratios]
        bell = ring(hertz, constants, levels, rate // 2, rate)
        bell += 0.3 * _burst(draw, rate // 2, 0.001, 0)
        onsets = (blows[parity::2] * rate).round().long()
        sound += strikes(onsets, 0.8 + 0.2 * draw.uniform(len(onsets)), bell, length)
    return sound * fade(length, rate, 0.02)


def _add(sound: Tensor, part: Tensor, start: int) -> None:
    """Add ``part`` to ``sound`` in place from ``start`` on, cut at the end."""
    end = min(len(sound), start + len(part))
    if start < end:
        sound[start:end] += part[: end - start]


CLASSES: dict[str, Callable[[Draw, float], Tensor]] = {
    "siren": _siren,
    "ticking_clock": _ticking_clock,
    "knocking": _knocking,
    "bird_chirps": _bird_chirps,
    "engine": _engine,
    "rain": _rain,
    "whistle": _whistle,
    "alarm": _alarm,
    "footsteps": _footsteps,
    "telephone_bell": _telephone_bell,
}
"""The sounds by the name of their class."""
