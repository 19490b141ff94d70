"""What stands on a picture of an explained clip, however it is drawn."""

import numpy as np

from ..scoring import ExplainedClip, layer_cell
from .method_titles import METHOD_TITLES

RANGE = 80.0
"""Range of displayed levels below the peak, in dB."""
LONG = 20.0
"""Seconds; the panels of a longer clip have the whole width."""
_MEL_TICKS = (250, 500, 1000, 2000, 4000, 8000, 16000)
_LINEAR_TICK_STEP = 2000


FOR_OR_AGAINST = "red: for it, blue: against it"
SIGNS = "red: above 0, blue: below 0"
COLOURS = {"optimal": "red: kept first, blue: kept last", "random": SIGNS}
"""What the colours of methods say whose values are not for or against a class: of a ranking, and of
nothing at all."""


def is_long(result: ExplainedClip) -> bool:
    """Return whether the panels of a clip stand below each other.

    >>> import torch, audiointerp as ai
    >>> classifier = ai.Classifier(ai.Cnn6(2, base_channels=2), ai.LogMel(), ["dog", "rain"])
    >>> is_long(ai.interpret(classifier, torch.randn(32000), "saliency", compared=0))
    False
    """
    spec = result.spectrogram
    return spec.length > LONG * spec.transform.sample_rate


def titles(result: ExplainedClip) -> list[str]:
    """Return the titles of the clip, its attribution, the kept and the removed part, two lines.

    With p on the same line, long labels would touch their neighbours.

    >>> import torch, audiointerp as ai
    >>> classifier = ai.Classifier(ai.Cnn6(2, base_channels=2), ai.LogMel(), ["dog", "rain"])
    >>> result = ai.interpret(classifier, torch.randn(32000), "saliency", target="dog")
    >>> [title.split(chr(10))[0] for title in titles(result)[1:]]
    ['saliency: why dog', 'kept by topK_30', 'removed']
    """
    p = float(result.attribution.probs.max())
    method, scored = result.attribution.method, result.scores["p"]
    return [
        f"predicted {result.predicted}\n(p = {p:.3f})",
        f"{method}: why {result.question}\n(p on {result.on} {scored:.3f})",
        f"kept by {result.mask_name}\n{result.p_text('p_in')}",
        f"removed\n{result.p_text('p_out')}",
    ]


def time_labels(result: ExplainedClip) -> list[str]:
    """Return what stands below the four panels: time, what colours say, an attribution's layer.

    >>> import torch, audiointerp as ai
    >>> classifier = ai.Classifier(ai.Cnn6(2, base_channels=2), ai.LogMel(), ["dog", "rain"])
    >>> result = ai.interpret(classifier, torch.randn(32000), "saliency", compared=0)
    >>> for label in time_labels(result)[1:]:
    ...     print(label.splitlines())
    ['time (s)', 'red: for it, blue: against it']
    ['time (s)', 'grey: removed']
    ['time (s)', 'grey: kept']
    """
    starts = f"from {result.limits[0]:.4g} s of the clip on" if result.limits else ""
    method = result.attribution.method
    # What the values of a method of your own mean is not known here.
    red_and_blue = COLOURS.get(method, FOR_OR_AGAINST if method in METHOD_TITLES else SIGNS)
    keys = ["", red_and_blue, "grey: removed", "grey: kept"]
    layers = ["", str(layer_cell(result.attribution)), "", ""]
    if is_long(result):
        # Below each other, the panels share the time axis of the last one.
        times = [starts, "", "", "time (s)"]
    else:
        times = [", ".join(filter(None, ["time (s)", starts])), *["time (s)"] * 3]
    lines = zip(times, keys, layers, strict=True)
    return ["\n".join(filter(None, panel)) for panel in lines]


def frequency_ticks(centres: np.ndarray) -> list[int]:
    """Choose ticks in Hz for bins with these centre frequencies.

    >>> frequency_ticks(np.array([0.0, 2500.0, 5000.0]))
    [0, 2000, 4000]
    """
    if len(centres) > 1 and np.allclose(np.diff(centres), centres[1] - centres[0]):
        return list(range(0, int(centres[-1]) + 1, _LINEAR_TICK_STEP))
    return [hertz for hertz in _MEL_TICKS if centres[0] <= hertz <= centres[-1]]


def tick_places(centres: np.ndarray) -> list[tuple[float, str]]:
    """Return the ticks of bins with these centre frequencies: a bin, with a fraction, and its kHz.

    >>> tick_places(np.array([0.0, 2500.0, 5000.0]))
    [(0.0, '0'), (0.8, '2'), (1.6, '4')]
    """
    ticks = frequency_ticks(centres)
    places = np.interp(ticks, centres, np.arange(len(centres)))
    return [(float(place), f"{hertz / 1000:g}") for place, hertz in zip(places, ticks, strict=True)]
