"""The training loop on features, with augmentation; it restores the weights of the best epoch."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional
from tqdm.auto import tqdm

from ..errors import ArgumentError, ModelError
from ..processing import augment
from ..util import right_batch_norm_gradients, usable_device
from .settings import FitSettings

WARM_UP = 10
"""After so many steps, half of a running mean stays in each step."""


@dataclass(frozen=True)
class Epoch:
    """The losses (cross-entropy in nats), accuracy (in [0, 1]) and duration of one epoch.

    >>> Epoch(number=1, train_loss=0.7, valid_loss=0.6, valid_accuracy=0.75, seconds=2.0).number
    1
    """

    number: int
    train_loss: float
    valid_loss: float
    valid_accuracy: float
    seconds: float


@dataclass(frozen=True)
class History:
    """The epochs of a training run.

    Attributes:
        epochs: one record for each epoch.
        best: the number of the epoch whose weights the network has now: that of the highest
            validation accuracy, and among equals that of the lowest validation loss.
        last_state: the state of the network after the last epoch.

    >>> History((Epoch(1, 0.7, 0.6, 0.75, 2.0), Epoch(2, 0.5, 0.4, 0.9, 2.0)), best=2).best_epoch
    Epoch(number=2, train_loss=0.5, valid_loss=0.4, valid_accuracy=0.9, seconds=2.0)
    """

    epochs: tuple[Epoch, ...]
    best: int
    last_state: Mapping[str, Tensor] = field(default_factory=dict, repr=False, compare=False)

    @property
    def best_epoch(self) -> Epoch:
        """The record of the best epoch."""
        return self.epochs[self.best - 1]


def fit(
    network: nn.Module,
    train: tuple[Tensor, Tensor],
    valid: tuple[Tensor, Tensor],
    settings: FitSettings | None = None,
    *,
    device: str | torch.device = "cpu",
    progress: bool = True,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> History:
    """Train a network in place on features, and restore the epoch that is best on ``valid``.

    Args:
        network: from ``(N, 1, F, T)`` to logits ``(N, C)``; training starts from its weights.
        train: features and targets of the training clips, from
            :func:`~audiointerp.dataset.compute_features`.
        valid: those of the validation clips.
        settings: how to train; the defaults of :class:`FitSettings` if None.
        device: where to train; the features are moved there.
        progress: whether to show a progress bar on a terminal or in a notebook.
        on_epoch: called after each epoch.

    Returns:
        The history; the network is in evaluation mode and has the weights of the best epoch.

    Raises:
        ArgumentError: there are no clips, or this machine has no such device.
        ModelError: training diverged.

    >>> network = nn.Sequential(nn.Flatten(), nn.Linear(6, 2))
    >>> clips = torch.rand(4, 1, 2, 3), torch.tensor([0, 1, 0, 1])
    >>> settings = FitSettings(epochs=3, frequency_mask=0, time_mask=0)
    >>> len(fit(network, clips, clips, settings, progress=False).epochs)
    3
    """
    settings = settings or FitSettings()
    if len(train[0]) != len(train[1]) or not len(train[0]) or not len(valid[0]):
        raise ArgumentError(
            f"{len(train[0])} training clips with {len(train[1])} targets and {len(valid[0])} "
            f"validation clips: both are needed, each clip with a target"
        )
    device = usable_device(device)
    inputs, targets = train[0].to(device), train[1].to(device)
    valid = valid[0].to(device), valid[1]
    network.to(device)
    devices = [device] if device.type == "cuda" else []
    with _channels_last(network), torch.random.fork_rng(devices=devices):
        torch.manual_seed(settings.seed)
        optimizer, scheduler = _build_optimizer(network, len(inputs), settings)
        # The network that is validated and kept.
        mean = deepcopy(network) if settings.averaging else network
        epochs: list[Epoch] = []
        best: tuple[tuple[float, float], int, dict[str, Tensor]] | None = None
        numbers = range(1, settings.epochs + 1)
        # With disable=None, tqdm shows a bar on a terminal and in a notebook only.
        hidden = None if progress else True
        bar = tqdm(numbers, desc="training", unit="epoch", disable=hidden)
        for number in bar:
            start = time.perf_counter()
            train_loss = _train_epoch(
                network, mean, inputs, targets, optimizer, scheduler, settings
            )
            valid_loss, accuracy = validate(mean, valid, settings.batch_size)
            seconds = time.perf_counter() - start
            epochs.append(Epoch(number, train_loss, valid_loss, accuracy, seconds))
            merit = (accuracy, -valid_loss)
            if math.isfinite(valid_loss) and (best is None or merit > best[0]):
                best = merit, number, deepcopy(mean.state_dict())
            bar.set_postfix(loss=f"{train_loss:.3f}", accuracy=f"{accuracy:.3f}")
            if on_epoch is not None:
                on_epoch(epochs[-1])
    if best is None:
        raise ModelError(
            "training diverged: no epoch has a finite validation loss; lower the learning rate"
        )
    last = deepcopy(mean.state_dict())
    network.load_state_dict(best[2])
    network.eval()
    return History(tuple(epochs), best[1], last)


@contextmanager
def _channels_last(network: nn.Module) -> Iterator[None]:
    """Lay the weights out so that convolutions on a CPU are a quarter faster."""
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    try:
        yield
    finally:
        network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]


@torch.no_grad()
def logits_of(network: nn.Module, inputs: Tensor, batch_size: int = 16) -> Tensor:
    """Return the logits ``(N, C)`` of features ``(N, 1, F, T)``, computed batch by batch.

    The network runs in evaluation mode; its mode is restored.

    >>> network = nn.Sequential(nn.Flatten(), nn.Linear(6, 2))
    >>> logits_of(network, torch.rand(20, 1, 2, 3)).shape
    torch.Size([20, 2])
    """
    device = next(network.parameters()).device
    training = network.training
    network.eval()
    logits = torch.cat([network(batch.to(device)).cpu() for batch in inputs.split(batch_size)])
    network.train(training)
    return logits


def validate(
    network: nn.Module, valid: tuple[Tensor, Tensor], batch_size: int = 16
) -> tuple[float, float]:
    """Return the cross-entropy in nats, and the accuracy in [0, 1], on features with targets.

    >>> network = nn.Sequential(nn.Flatten(), nn.Linear(6, 2))
    >>> loss, accuracy = validate(network, (torch.rand(4, 1, 2, 3), torch.tensor([0, 1, 0, 1])))
    >>> loss > 0, 0 <= accuracy <= 1
    (True, True)
    """
    logits, targets = logits_of(network, valid[0], batch_size), valid[1].cpu()
    accuracy = float((logits.argmax(1) == targets).float().mean())
    return float(functional.cross_entropy(logits, targets)), accuracy


def _build_optimizer(
    network: nn.Module, clips: int, settings: FitSettings
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    steps = settings.epochs * math.ceil(clips / settings.batch_size)
    parameters, rate = network.parameters(), settings.learning_rate
    decay = settings.weight_decay or 0.0
    optimizer: torch.optim.Optimizer
    if settings.optimizer == "adamw":
        optimizer = torch.optim.AdamW(parameters, lr=rate, weight_decay=decay)
    else:
        optimizer = torch.optim.Adam(parameters, lr=rate)
    scheduler: torch.optim.lr_scheduler.LRScheduler
    if settings.schedule == "one_cycle":
        # OneCycleLR needs at least two steps.
        total_steps = max(steps, 2)
        scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=total_steps)
    elif settings.schedule == "cosine":
        scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    else:
        scheduler = torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0)
    return optimizer, scheduler


def _train_epoch(
    network: nn.Module,
    mean: nn.Module,
    inputs: Tensor,
    targets: Tensor,
    optimizer: torch.optim.Optimizer,
    scheduler: torch.optim.lr_scheduler.LRScheduler,
    settings: FitSettings,
) -> float:
    """Train for one epoch, let the running mean follow, and return the mean loss."""
    network.train()
    losses, sizes = [], []
    for batch in torch.randperm(len(inputs)).to(inputs.device).split(settings.batch_size):
        # Without it, torch computes wrong gradients of a channels-last network.
        with right_batch_norm_gradients(network):
            loss = _loss(network, inputs, targets, batch, settings)
            optimizer.zero_grad()
            loss.backward()
        optimizer.step()
        scheduler.step()
        if mean is not network:
            follow(mean, network, settings.averaging, scheduler.last_epoch)
        losses.append(loss.detach())
        sizes.append(len(batch))
    # Read at the end, since the processor would wait for a GPU at each step.
    values: list[float] = torch.stack(losses).tolist()
    return sum(loss * size for loss, size in zip(values, sizes, strict=True)) / len(inputs)


def _loss(
    network: nn.Module, inputs: Tensor, targets: Tensor, batch: Tensor, settings: FitSettings
) -> Tensor:
    """Return the loss of the clips with the numbers in ``batch``, augmented and mixed."""
    first, second, share = _draw_mixup(batch, settings.mixup)
    db = _augment(inputs[first], settings)
    if share < 1:
        db = torch.lerp(_augment(inputs[second], settings), db, share)
    is_half = settings.precision == "bfloat16"
    with torch.autocast(db.device.type, torch.bfloat16, enabled=is_half):
        logits = network(db)
    logits = logits.float() if is_half else logits
    loss = share * functional.cross_entropy(logits, targets[first])
    if share < 1:
        loss = loss + (1 - share) * functional.cross_entropy(logits, targets[second])
    return loss


def _augment(db: Tensor, settings: FitSettings) -> Tensor:
    return augment(
        db,
        time_roll=settings.time_roll,
        frequency_mask=settings.frequency_mask,
        time_mask=settings.time_mask,
        gain=settings.gain,
        removal=settings.removal,
    )


@torch.no_grad()
def follow(mean: nn.Module, network: nn.Module, averaging: float, steps: int) -> None:
    """Move a running mean of the weights and the batch statistics towards a network, in place.

    Args:
        mean: a copy of the network.
        network: its weights after the step with the number ``steps``, from 1.
        averaging: the share of the mean that stays; less in the first steps, whose weights are soon
            out of date.

    >>> network, mean = nn.Linear(1, 1), nn.Linear(1, 1)
    >>> _ = nn.init.ones_(network.weight), nn.init.zeros_(mean.weight)
    >>> follow(mean, network, averaging=0.75, steps=1000)
    >>> mean.weight.item()
    0.25
    """
    kept = min(averaging, steps / (steps + WARM_UP))
    for old, new in zip(mean.state_dict().values(), network.state_dict().values(), strict=True):
        if old.is_floating_point():
            old.lerp_(new, 1 - kept)
        else:
            old.copy_(new)


def _draw_mixup(batch: Tensor, alpha: float) -> tuple[Tensor, Tensor, float]:
    """Draw mixup's pairs (Zhang et al., ICLR 2018): clips, partners, and the share of the first."""
    if alpha == 0:
        return batch, batch, 1.0
    concentration = torch.tensor(alpha)
    share = float(torch.distributions.Beta(concentration, concentration).sample())
    return batch, batch[torch.randperm(len(batch)).to(batch.device)], share
