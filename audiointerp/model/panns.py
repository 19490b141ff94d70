"""Cnn6, Cnn10 and Cnn14 of PANNs (Kong et al., IEEE/ACM TASLP 2020), as spectrogram classifiers.

They take features ``(N, 1, F, T)`` in dB and return logits ``(N, C)``. The convolutional part has
the names and shapes of the official checkpoints, which work on ``(N, 1, T, F)``, so the networks
swap the axes first. Each ReLU and pooling is a module that is used once, since DeepLIFT and SHAP
see only modules.
"""

from typing import Any

import torch
from torch import Tensor, nn

from ..errors import ArgumentError, choose
from .relative_level import RelativeLevel


class ConvBlock(nn.Module):
    """Two 3 x 3 convolutions with batch normalisation and ReLU, then average pooling and dropout.

    >>> ConvBlock(1, 8)(torch.zeros(2, 1, 20, 10)).shape
    torch.Size([2, 8, 10, 5])
    """

    def __init__(self, inputs: int, outputs: int, pool: int = 2, dropout: float = 0.2) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.relu2 = nn.ReLU()
        self.pool = nn.AvgPool2d(pool)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(N, outputs, T / pool, F / pool)`` of ``(N, inputs, T, F)``."""
        x = self.relu1(self.bn1(self.conv1(x)))
        x = self.relu2(self.bn2(self.conv2(x)))
        result: Tensor = self.dropout(self.pool(x))
        return result


class ConvBlock5x5(nn.Module):
    """One 5 x 5 convolution with batch normalisation and ReLU, then average pooling and dropout.

    >>> ConvBlock5x5(1, 8)(torch.zeros(2, 1, 20, 10)).shape
    torch.Size([2, 8, 10, 5])
    """

    def __init__(self, inputs: int, outputs: int, pool: int = 2, dropout: float = 0.2) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 5, padding=2, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.relu1 = nn.ReLU()
        self.pool = nn.AvgPool2d(pool)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(N, outputs, T / pool, F / pool)`` of ``(N, inputs, T, F)``."""
        result: Tensor = self.dropout(self.pool(self.relu1(self.bn1(self.conv1(x)))))
        return result


class Pann(nn.Module):
    """The base class of :class:`Cnn6`, :class:`Cnn10` and :class:`Cnn14`.

    Args:
        num_classes: C, the number of logits.
        num_bins: F, bins per frame: 64 in the official checkpoints, 257 in the STFT preset.
        base_channels: channels of the first block (64 officially); each block doubles them.
        dropout: after each block; 0.2 as published.
        head_dropout: before and after the embedding; 0.5 as published.
        level_range: if given, the network sees levels relative to the clip's loudest part, down to
            so many dB below it, and bears any gain: see
            :class:`~audiointerp.model.relative_level.RelativeLevel`.

    Raises:
        ArgumentError: a size is too small, or the range is not a positive number.

    >>> Cnn10(10, base_channels=16)(torch.zeros(2, 1, 64, 100)).shape
    torch.Size([2, 10])
    """

    block: type[nn.Module] = ConvBlock
    num_blocks = 4
    last_pool = 2
    # The layers work on (time, frequency), while the input is (frequency, time).
    activation_layout = "TF"
    # Activations in channels_last, while the weights are contiguous: a fifth faster.
    prefers_channels_last = True

    def __init__(
        self,
        num_classes: int,
        *,
        num_bins: int = 64,
        base_channels: int = 64,
        dropout: float = 0.2,
        head_dropout: float = 0.5,
        level_range: float | None = None,
    ) -> None:
        super().__init__()
        if num_bins < self.shrinkage or num_classes < 1 or base_channels < 1:
            raise ArgumentError(
                f"num_classes={num_classes} and base_channels={base_channels} must be at least 1, "
                f"and num_bins={num_bins} at least {self.shrinkage} for {type(self).__name__}, "
                f"whose poolings make one bin from as many"
            )
        self.settings: dict[str, Any] = {
            "num_classes": num_classes,
            "num_bins": num_bins,
            "base_channels": base_channels,
            "dropout": dropout,
            "head_dropout": head_dropout,
        }
        self.relative_level: nn.Module | None = None
        if level_range is not None:
            # Without it, the record of a network is that of earlier versions.
            self.settings["level_range"] = level_range
            self.relative_level = RelativeLevel(level_range)
        self.bn0 = nn.BatchNorm2d(num_bins)
        channels = [1] + [base_channels * 2**number for number in range(self.num_blocks)]
        for number in range(1, self.num_blocks + 1):
            pool = self.last_pool if number == self.num_blocks else 2
            block = self.block(channels[number - 1], channels[number], pool, dropout)
            setattr(self, f"conv_block{number}", block)
        width = channels[-1]
        self.pool_time = nn.MaxPool1d(1)
        self.dropout1 = nn.Dropout(head_dropout)
        self.fc1 = nn.Linear(width, width)
        self.relu = nn.ReLU()
        self.dropout2 = nn.Dropout(head_dropout)
        self.head = nn.Linear(width, num_classes)

    @property
    def cam_layers(self) -> list[str]:
        """The layers from which class activation maps take theirs: the convolutions."""
        return [name for name, module in self.named_modules() if isinstance(module, nn.Conv2d)]

    @property
    def shrinkage(self) -> int:
        """How many input bins (and frames) become one in the last block."""
        return int(2 ** (self.num_blocks - 1)) * self.last_pool

    def forward(self, db: Tensor) -> Tensor:
        """Return logits ``(N, C)`` of features ``(N, 1, F, T)`` in dB."""
        self._check_features(db)
        if self.relative_level is not None:
            db = self.relative_level(db)
        x = self.bn0(db.transpose(1, 2)).permute(0, 2, 3, 1)
        is_normalised = isinstance(self.bn0, nn.BatchNorm2d)
        is_last = self.prefers_channels_last or self._has_channels_last_weights()
        has_wrong_gradients = torch.is_grad_enabled() and is_normalised
        if x.device.type == "cpu" and is_last and not has_wrong_gradients:
            # Equal to float precision. Not with gradients through batch normalisation, which torch
            # computes wrongly in this memory format.
            x = torch.empty_like(x, memory_format=torch.channels_last).copy_(x)
        for number in range(1, self.num_blocks + 1):
            x = getattr(self, f"conv_block{number}")(x)
        x = x.mean(3)
        # The maximum over time, for any length. DeepLIFT and SHAP do not know nn.AdaptiveMaxPool1d.
        self.pool_time.kernel_size = self.pool_time.stride = x.shape[2]
        x = self.pool_time(x)[:, :, 0] + x.mean(2)
        x = self.relu(self.fc1(self.dropout1(x)))
        logits: Tensor = self.head(self.dropout2(x))
        return logits

    def _has_channels_last_weights(self) -> bool:
        weights = (parameter for parameter in self.parameters() if parameter.ndim == 4)
        return not all(weight.is_contiguous() for weight in weights)

    def _check_features(self, db: Tensor) -> None:
        bins, least = self.bn0.num_features, self.shrinkage
        if db.ndim != 4 or db.shape[1] != 1 or db.shape[2] != bins or db.shape[3] < least:
            raise ArgumentError(
                f"{type(self).__name__} takes features (N, 1, {bins}, at least {least} frames), "
                f"not {tuple(db.shape)}"
            )


class Cnn6(Pann):
    """Four blocks of one 5 x 5 convolution: 4.8 M parameters at the official size.

    For the arguments see :class:`Pann`.

    >>> Cnn6(10, base_channels=4)(torch.zeros(2, 1, 64, 100)).shape
    torch.Size([2, 10])
    """

    block = ConvBlock5x5


class Cnn10(Pann):
    """Four blocks of two 3 x 3 convolutions: 5.2 M parameters at the official size.

    For the arguments see :class:`Pann`.

    >>> Cnn10(10, base_channels=4)(torch.zeros(2, 1, 64, 100)).shape
    torch.Size([2, 10])
    """


class Cnn14(Pann):
    """Six blocks of two 3 x 3 convolutions: 80.8 M parameters at the official size.

    For the arguments see :class:`Pann`.

    >>> Cnn14(10, base_channels=4)(torch.zeros(2, 1, 64, 100)).shape
    torch.Size([2, 10])
    """

    num_blocks = 6
    last_pool = 1
    # Putting the weights of the last blocks into that order takes longer than it saves.
    prefers_channels_last = False


NETWORKS: dict[str, type[Pann]] = {"Cnn6": Cnn6, "Cnn10": Cnn10, "Cnn14": Cnn14}


def build_network(name: str, settings: dict[str, Any]) -> Pann:
    """Build an untrained network by its name in :data:`NETWORKS`.

    Args:
        name: of the network.
        settings: the arguments of its class.

    Raises:
        ArgumentError: the name is unknown, or the settings do not fit.

    >>> network = build_network("Cnn10", {"num_classes": 10, "base_channels": 16})
    >>> sum(parameter.numel() for parameter in network.parameters())
    311642
    """
    try:
        return NETWORKS[choose("network", name, NETWORKS)](**settings)
    except TypeError as error:
        raise ArgumentError(f"settings of {name} do not fit: {error}") from error


def initialise(network: nn.Module, seed: int) -> None:
    """Draw new weights as PANNs does: Xavier-uniform, zero biases, unit batch normalisation.

    The global random state is not changed.

    >>> network = nn.Linear(2, 3)
    >>> initialise(network, seed=0)
    >>> network.bias.tolist()
    [0.0, 0.0, 0.0]
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.BatchNorm2d):
                module.reset_running_stats()
                nn.init.ones_(module.weight)
                nn.init.zeros_(module.bias)
