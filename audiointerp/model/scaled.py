"""A network that sees the levels through its transform's scaling."""

import torch
from torch import Tensor, nn

from ..processing import Transform
from ..util import weight_type
from .sound_model import SoundModel


class ScaledNetwork(nn.Module):
    """A network behind the scaling of its features: from levels in dB to outputs.

    Args:
        network: takes scaled features ``(N, 1, F, T)``.
        transform: scales the levels, see :meth:`~audiointerp.processing.Transform.scaled`.

    >>> from audiointerp.processing import LogMel, Scaling
    >>> network = ScaledNetwork(nn.Identity(), LogMel(scaling=Scaling(mean=-20.0, std=10.0)))
    >>> network(torch.zeros(1, 1, 1, 2)).tolist()
    [[[[2.0, 2.0]]]]
    """

    def __init__(self, network: nn.Module, transform: Transform) -> None:
        super().__init__()
        self.network = network
        self.transform = transform
        layout = getattr(network, "activation_layout", None)
        if layout is not None:
            self.activation_layout = layout

    @property
    def input_type(self) -> torch.dtype:
        """The type of the levels: float32 unless the weights are float64."""
        return torch.promote_types(torch.float32, weight_type(self.network, torch.float32))

    def forward(self, db: Tensor) -> Tensor:
        """Return the outputs for levels ``(N, 1, F, T)`` in dB."""
        scaled = self.transform.scaled(db)
        outputs: Tensor = self.network(scaled.to(weight_type(self.network, scaled.dtype)))
        return outputs


def with_scaling(network: nn.Module, transform: Transform) -> nn.Module:
    """Return the network behind its transform's scaling; itself if there is none.

    >>> from audiointerp.processing import LogMel
    >>> network = nn.Identity()
    >>> with_scaling(network, LogMel()) is network
    True
    """
    if not transform.is_scaled or isinstance(network, ScaledNetwork | SoundModel):
        return network
    return ScaledNetwork(network, transform)


def without_scaling(network: nn.Module) -> nn.Module:
    """Return the network that :func:`with_scaling` was given.

    >>> without_scaling(nn.Identity())
    Identity()
    """
    return network.network if isinstance(network, ScaledNetwork) else network
