"""A network with a front end of its own that computes what a transform computes."""

from functools import partial

from torch import Tensor, nn

from ..errors import ArgumentError, ModelError
from ..processing import Transform
from ..util import is_out_of_memory, one_line, weight_type
from .equal_features import ORDERS, equal_fit, probes
from .selected import Select, selected


class NetworkOnLevels(nn.Module):
    """A network behind a linear function of the levels, in the order of axes that it takes.

    Args:
        network: takes what its front end made.
        slope, intercept: of what the front end made, as a function of the levels.
        order: a name in :data:`~audiointerp.model.equal_features.ORDERS`.
        select: the outputs in what the network returns, see ``Classifier.from_waveform``.

    >>> import torch
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
    sounds = probes(8 * transform.n_fft + 20 * transform.hop_length + 7)
    whole_hops = sounds[..., : sounds.shape[-1] // transform.hop_length * transform.hop_length]
    front_end.eval()
    features_of = partial(_features, front_end)
    fit = equal_fit(transform, features_of, sounds, whole_hops, _or_from_waveform)
    return NetworkOnLevels(network, fit.slope, fit.intercept, fit.order, select).eval()


def _or_from_waveform(reason: str) -> str:
    return f"{reason}, or use Classifier.from_waveform, for which they need not be equal"


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
