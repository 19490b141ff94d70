"""A network with a front end of its own that computes what a transform computes."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..errors import ArgumentError, ModelError
from ..processing import Transform
from ..util import is_out_of_memory, one_line, weight_type
from .selected import Select, selected

LARGEST_DIFFERENCE = 0.01
"""Between the front end and the transform, in dB: about what float32 leaves in quiet bins."""
ORDERS: dict[str, Callable[[Tensor], Tensor]] = {
    "(N, 1, F, T)": lambda features: features,
    "(N, 1, T, F)": lambda features: features.transpose(2, 3),
    "(N, F, T)": lambda features: features[:, 0],
    "(N, T, F)": lambda features: features[:, 0].transpose(1, 2),
}
"""The shapes of features that networks take, each made of ``(N, 1, F, T)``."""


class NetworkOnLevels(nn.Module):
    """A network behind a linear function of the levels, in the order of axes that it takes.

    Args:
        network: takes what its front end made.
        slope, intercept: of what the front end made, as a function of the levels.
        order: a name in :data:`ORDERS`.
        select: the outputs in what the network returns, see ``Classifier.from_waveform``.

    >>> network = NetworkOnLevels(nn.Flatten(), 0.5, 1.0, "(N, T, F)", None)
    >>> network(torch.tensor([[[[2.0, 4.0, 6.0]]]])).tolist()
    [[2.0, 3.0, 4.0]]
    """

    def __init__(
        self,
        network: nn.Module,
        slope: float,
        intercept: float,
        order: str,
        select: Select | None,
    ) -> None:
        super().__init__()
        # A layer that SHAP and folding know.
        self.scale = nn.Conv2d(1, 1, 1)
        nn.init.constant_(self.scale.weight, slope)
        nn.init.constant_(self.scale.bias, intercept)  # type: ignore[arg-type]
        self.network = network
        self.order = order
        self.select = select

    def forward(self, levels: Tensor) -> Tensor:
        """Return the outputs ``(N, C)`` for levels ``(N, 1, F, T)``."""
        features = ORDERS[self.order](self.scale(levels))
        outputs = self.network(features.to(weight_type(self.network, features.dtype)))
        return selected(outputs, self.select, type(self.network).__name__)


def network_on_levels(
    front_end: nn.Module,
    network: nn.Module,
    transform: Transform,
    select: Select | None = None,
) -> nn.Module:
    """Return a network that takes the levels of a transform in place of its front end's features.

    As a network on features it takes every method, SHAP too, and its maps are those of its own
    features. Of the front end and the transform, each is run on sounds and silence, in batches of
    two lengths. Their results must be equal but for a factor, a constant and the order of axes:
    natural or decimal logarithms and fixed standardisation are allowed.

    Args:
        front_end: from sounds ``(N, L)`` or ``(N, 1, L)`` to features, e.g. a torchaudio transform.
        network: from these features to outputs.
        transform: what the front end computes, as a transform of this library.
        select: the outputs in what the network returns, see ``Classifier.from_waveform``.

    Returns:
        The network for ``Classifier(network, transform, labels, …)``, in evaluation mode.

    Raises:
        ArgumentError: the front end or the network is not a module.
        ModelError: the front end cannot take sounds, or its features are not the transform's.

    >>> import audiointerp as ai
    >>> class FrontEnd(nn.Module):
    ...     def forward(self, wav):
    ...         return ai.LogMel()(wav[:, None]).db * 0.05 + 1
    >>> network = network_on_levels(FrontEnd(), ai.Cnn6(2, base_channels=4), ai.LogMel())
    >>> round(network.scale.weight.item(), 4), round(network.scale.bias.item(), 4)
    (0.05, 1.0)
    >>> ai.Classifier(network, ai.LogMel(), ["dog", "cat"], duration=1.0).labels
    ('dog', 'cat')
    """
    for name, module in (("front_end", front_end), ("network", network)):
        if not isinstance(module, nn.Module):
            kind = type(module).__name__
            raise ArgumentError(f"{name} must be a module, not a {kind}; wrap it into an nn.Module")
    sounds = _probes(transform)
    front_end.eval()
    levels, features, unit = _levels_and_features(transform, front_end, sounds)
    fits = [_fit(features, order, levels) for order in ORDERS]
    possible = [fit for fit in fits if fit is not None]
    if not possible:
        raise ModelError(_other_shape(features, levels, sounds.shape[-1]))
    difference, place, fit = min(possible, key=lambda possibility: possibility[0])
    if not difference * unit <= LARGEST_DIFFERENCE:
        raise ModelError(_different(difference * unit, place, transform))
    _check_again(transform, front_end, sounds, fit, unit)
    return NetworkOnLevels(network, fit.slope, fit.intercept, fit.order, select).eval()


class _Fit(NamedTuple):
    """What a front end makes of the levels: a linear function, in an order of axes."""

    slope: float
    intercept: float
    order: str

    def largest_difference(self, features: Tensor, levels: Tensor) -> tuple[float, tuple[int, ...]]:
        """The largest difference of the features, in the unit of the levels, and its place."""
        expected = ORDERS[self.order](levels).double()
        differences = ((features.double() - self.intercept) / self.slope - expected).abs()
        # A NaN is no small difference.
        place = torch.unravel_index(differences.nan_to_num(torch.inf).argmax(), expected.shape)
        return float(differences[place].nan_to_num(torch.inf)), tuple(int(index) for index in place)


PROBES = (
    "noise",
    "quiet noise",
    "a click in silence",
    "silence",
    "a loud tone in noise",
    "noise that fades in",
)


def _probes(transform: Transform) -> Tensor:
    """Sounds ``(6, 1, L)`` whose levels are all over the range, in the order of :data:`PROBES`."""
    length = 8 * transform.n_fft + 20 * transform.hop_length + 7
    sounds = torch.zeros(len(PROBES), 1, length)
    noise = torch.randn(length, generator=torch.Generator().manual_seed(0))
    sounds[0, 0] = 0.2 * noise
    sounds[1, 0] = 0.002 * noise.roll(length // 2)
    sounds[2, 0, length // 3] = 1
    # As loud as a clip can be, for limits from above and relative to the peak; a tone in a band.
    sounds[4, 0] = 0.9 * torch.sin(0.5 * torch.arange(length)) + 0.01 * noise.roll(length // 3)
    # Around the floor, log(x + floor) and log(max(x, floor)) differ.
    sounds[5, 0] = 0.2 * torch.logspace(-7, 0, length) * noise
    return sounds


def _levels_and_features(
    transform: Transform, front_end: nn.Module, sounds: Tensor
) -> tuple[Tensor, Tensor, float]:
    """What the transform and the front end make of sounds, and how many dB the unit of both is."""
    with torch.no_grad():
        db = transform(sounds).db
        levels = transform.scaled(db)
        features = _features(front_end, sounds)
    return levels, features, float(db.std() / levels.std())


def _check_again(
    transform: Transform, front_end: nn.Module, sounds: Tensor, fit: _Fit, unit: float
) -> None:
    """Check the fit on other batches, of another length.

    Raises:
        ModelError: what the front end makes of a sound depends on more than the sound.
    """
    whole_hops = sounds[..., : sounds.shape[-1] // transform.hop_length * transform.hop_length]
    for batch in whole_hops.split(len(sounds) // 2):
        levels, features, _ = _levels_and_features(transform, front_end, batch)
        if features.shape != ORDERS[fit.order](levels).shape:
            raise ModelError(_other_shape(features, levels, batch.shape[-1]))
        difference, _ = fit.largest_difference(features, levels)
        if not difference * unit <= LARGEST_DIFFERENCE:
            raise ModelError(
                f"the front end makes other features of a sound in another batch, of another "
                f"length or in a second call: up to {difference * unit:.3g} dB apart; make each "
                f"sound's features depend on that sound alone (no statistics of the batch, no "
                f"randomness), or use Classifier.from_waveform"
            )


def _features(front_end: nn.Module, sounds: Tensor) -> Tensor:
    """What the front end makes of sounds ``(N, 1, L)``, which it may want as ``(N, L)``."""
    errors = []
    for given in (sounds[:, 0], sounds):
        try:
            features = front_end(given)
        # A module of the user can raise any error.
        except Exception as error:
            if is_out_of_memory(error):
                raise
            errors.append(one_line(error, 200))
            continue
        if isinstance(features, Tensor) and len(features) == len(sounds):
            # (N, 1, L) in gives (N, 1, 1, F, T) out of a front end that adds the channel.
            return features.squeeze(1) if features.ndim == 5 else features
        errors.append(f"it returned a {type(features).__name__}, not features of {len(sounds)}")
    raise ModelError(
        f"the front end {type(front_end).__name__} cannot take sounds (N, L): {errors[0]}; nor "
        f"(N, 1, L): {errors[1]}"
    )


def _fit(
    features: Tensor, order: str, levels: Tensor
) -> tuple[float, tuple[int, ...], _Fit] | None:
    """Fit a linear function of levels to features; return the largest difference and its place.

    None if the shapes differ.
    """
    expected = ORDERS[order](levels)
    if features.shape != expected.shape:
        return None
    x, y = expected.double(), features.double()
    slope = ((x - x.mean()) * (y - y.mean())).mean() / x.var(correction=0)
    fit = _Fit(float(slope), float(y.mean() - slope * x.mean()), order)
    return *fit.largest_difference(features, levels), fit


def _other_shape(features: Tensor, levels: Tensor, samples: int) -> str:
    """What to do about features of another shape than the levels."""
    return (
        f"the front end makes features {tuple(features.shape)} of {samples} samples, "
        f"and the transform levels {tuple(levels.shape)}; give a transform with its bins, hop "
        f"and padding, or use Classifier.from_waveform, for which they need not be equal"
    )


def _different(difference: float, place: tuple[int, ...], transform: Transform) -> str:
    """What to do about features that are not the levels."""
    *_, row, column = place
    return (
        f"the front end does not compute what {type(transform).__name__} computes: up to "
        f"{difference:.3g} dB apart, in {PROBES[place[0]]} at bin or frame {row}, {column}; make "
        f"the transform equal (window, mel_scale, mel_norm, center, padding, scaling with its "
        f"offset; no limit below the loudest level, as top_db sets), or use "
        f"Classifier.from_waveform, for which it need not be equal"
    )
