"""Training a spectrogram classifier: features once, augmentation on the features, the best epoch truly restored."""

import math
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from .dataset import ClipDataset
from .devices import usable_device
from .errors import ArgumentError, ModelError, choose
from .processing import FLOOR, Transform

SCHEDULES = ("one_cycle", "cosine", "constant")


@dataclass(frozen=True)
class FitSettings:
    """How to train. The defaults suit the small networks; :data:`PUBLISHED` is the published setting.

    Attributes:
        epochs, batch_size, seed: as named. The same seed on the same machine gives the same network.
        optimizer: ``"adamw"`` or ``"adam"``.
        learning_rate: the largest of the schedule.
        weight_decay: AdamW's.
        schedule: ``"one_cycle"``, ``"cosine"`` (to 0) or ``"constant"``.
        time_roll: whether each clip is turned in time by a random number of frames.
        frequency_mask, time_mask: the widest band of bins, and of frames, that SpecAugment silences (one of each).
        mixup: the parameter of mixup's beta distribution; 0 is none.
    """

    epochs: int = 60
    batch_size: int = 16
    seed: int = 0
    optimizer: str = "adamw"
    learning_rate: float = 3e-3
    weight_decay: float = 1e-2
    schedule: str = "one_cycle"
    time_roll: bool = True
    frequency_mask: int = 10
    time_mask: int = 40
    mixup: float = 0.3

    def __post_init__(self) -> None:
        choose("optimizer", self.optimizer, ("adamw", "adam"))
        choose("schedule", self.schedule, SCHEDULES)
        for name in ("epochs", "batch_size", "learning_rate"):
            if not 0 < getattr(self, name) < math.inf:
                raise ArgumentError(f"{name}={getattr(self, name)!r} must be finite and above 0")
        for name in ("frequency_mask", "time_mask", "mixup", "weight_decay"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ArgumentError(f"{name}={getattr(self, name)!r} must be finite and not below 0")
        if not 0 <= self.seed < 2**63:
            raise ArgumentError(f"seed={self.seed!r} must lie between 0 and 2**63")


PUBLISHED = FitSettings(
    epochs=20, batch_size=32, seed=42, optimizer="adam", learning_rate=1e-4, weight_decay=0.0, schedule="constant",
    time_roll=False, frequency_mask=10, time_mask=20, mixup=0.0,
)  # fmt: skip


@dataclass(frozen=True)
class Epoch:
    """The figures of one epoch; losses are cross-entropies in nats, accuracies shares of the clips."""

    number: int
    train_loss: float
    valid_loss: float
    valid_accuracy: float
    seconds: float


@dataclass(frozen=True)
class History:
    """What a training run did.

    Attributes:
        epochs: one record an epoch.
        best: the number of the epoch whose weights the network now has: the highest validation accuracy, the lowest
            validation loss among equals.
    """

    epochs: tuple[Epoch, ...]
    best: int

    @property
    def best_epoch(self) -> Epoch:
        """The record of the best epoch."""
        return self.epochs[self.best - 1]


def features(dataset: ClipDataset, transform: Transform, progress: bool = True) -> tuple[Tensor, Tensor]:
    """The features ``(clips, 1, F, T)`` and targets ``(clips,)`` of a whole data set, computed once.

    Raises:
        ArgumentError: the data set's sample rate is not the transform's.
    """
    if dataset.sample_rate != transform.sample_rate:
        raise ArgumentError(f"the data set has {dataset.sample_rate} Hz, the transform {transform.sample_rate} Hz")
    rows, targets = [], []
    for index in tqdm(
        range(len(dataset)), desc="features", unit="clip", leave=False, disable=None if progress else True
    ):
        wav, target = dataset[index]
        rows.append(transform(wav[None]).db)
        targets.append(target)
    return torch.cat(rows), torch.tensor(targets)


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
    """Train a network in place on features, choosing the epoch by the validation clips alone.

    Args:
        network: from ``(N, 1, F, T)`` to logits; its weights are where training starts.
        train, valid: what :func:`features` gives.
        settings: the defaults of :class:`FitSettings` if None.
        device: where to train; the features are moved there.
        progress: a bar, where a terminal watches.
        on_epoch: called after each epoch.

    Returns:
        The history; the network holds the weights of its best epoch, and is in evaluation mode.

    Raises:
        ArgumentError: there are no clips, or no such device.
        ModelError: training diverged.
    """
    settings = settings or FitSettings()
    if len(train[0]) != len(train[1]) or not len(train[0]) or not len(valid[0]):
        raise ArgumentError(
            f"{len(train[0])} training and {len(valid[0])} validation clips: both are needed, with targets"
        )
    device = usable_device(device)
    inputs, targets = train[0].to(device), train[1].to(device)
    network.to(device)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(settings.seed)
        optimizer, scheduler = _optimizer(network, len(inputs), settings)
        epochs: list[Epoch] = []
        best: tuple[tuple[float, float], int, dict[str, Tensor]] | None = None
        bar = tqdm(range(1, settings.epochs + 1), desc="training", unit="epoch", disable=None if progress else True)
        for number in bar:
            start = time.perf_counter()
            train_loss = _train_epoch(network, inputs, targets, optimizer, scheduler, settings)
            valid_loss, accuracy = validate(network, valid, settings.batch_size)
            epochs.append(Epoch(number, train_loss, valid_loss, accuracy, time.perf_counter() - start))
            merit = (accuracy, -valid_loss)
            if math.isfinite(valid_loss) and (best is None or merit > best[0]):
                best = merit, number, deepcopy(network.state_dict())
            bar.set_postfix(loss=f"{train_loss:.3f}", accuracy=f"{accuracy:.3f}")
            if on_epoch is not None:
                on_epoch(epochs[-1])
    if best is None:
        raise ModelError("training diverged: no epoch has a finite validation loss; lower the learning rate")
    network.load_state_dict(best[2])
    network.eval()
    return History(tuple(epochs), best[1])


@torch.no_grad()
def logits_of(network: nn.Module, inputs: Tensor, batch_size: int = 16) -> Tensor:
    """The logits ``(clips, C)`` of many clips, batch by batch, in evaluation mode; the mode is put back."""
    device = next(network.parameters()).device
    training = network.training
    network.eval()
    logits = torch.cat([network(batch.to(device)).cpu() for batch in inputs.split(batch_size)])
    network.train(training)
    return logits


def validate(network: nn.Module, valid: tuple[Tensor, Tensor], batch_size: int = 16) -> tuple[float, float]:
    """Cross-entropy and accuracy on features with targets."""
    logits, targets = logits_of(network, valid[0], batch_size), valid[1].cpu()
    return float(functional.cross_entropy(logits, targets)), float((logits.argmax(1) == targets).float().mean())


def _optimizer(
    network: nn.Module, clips: int, settings: FitSettings
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    steps = settings.epochs * -(-clips // settings.batch_size)
    rate = settings.learning_rate
    optimizer: torch.optim.Optimizer
    if settings.optimizer == "adamw":
        optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=settings.weight_decay)
    else:
        optimizer = torch.optim.Adam(network.parameters(), lr=rate)
    if settings.schedule == "one_cycle":
        return optimizer, torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=max(steps, 2))
    if settings.schedule == "cosine":
        return optimizer, torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    return optimizer, torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0)


def _train_epoch(
    network: nn.Module,
    inputs: Tensor,
    targets: Tensor,
    optimizer: torch.optim.Optimizer,
    scheduler: torch.optim.lr_scheduler.LRScheduler,
    settings: FitSettings,
) -> float:
    network.train()
    total = 0.0
    for batch in torch.randperm(len(inputs)).to(inputs.device).split(settings.batch_size):
        first, second, share = _mixed_pairs(batch, settings.mixup)
        db = augment(inputs[first], settings)
        if share < 1:
            db = torch.lerp(augment(inputs[second], settings), db, share)
        logits = network(db)
        loss = share * functional.cross_entropy(logits, targets[first])
        if share < 1:
            loss = loss + (1 - share) * functional.cross_entropy(logits, targets[second])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        total += loss.item() * len(batch)
    return total / len(inputs)


def _mixed_pairs(batch: Tensor, alpha: float) -> tuple[Tensor, Tensor, float]:
    """Mixup (Zhang et al., ICLR 2018): each clip, its partner, and the share of the first."""
    if alpha == 0:
        return batch, batch, 1.0
    concentration = torch.tensor(alpha)
    share = float(torch.distributions.Beta(concentration, concentration).sample())
    return batch, batch[torch.randperm(len(batch)).to(batch.device)], share


def augment(db: Tensor, settings: FitSettings) -> Tensor:
    """Turn each clip in time and silence one band and one stretch of it (SpecAugment, Park et al., Interspeech 2019).

    Args:
        db: ``(N, 1, F, T)``, left as it is.
        settings: which of them, and how wide.
    """
    bins, frames = db.shape[2:]
    rows = []
    for clip in db:
        shift = int(torch.randint(frames, ())) if settings.time_roll else 0
        clip = torch.roll(clip, shift, -1)
        low, high = _stretch(bins, settings.frequency_mask)
        clip[:, low:high] = FLOOR
        start, end = _stretch(frames, settings.time_mask)
        clip[:, :, start:end] = FLOOR
        rows.append(clip)
    return torch.stack(rows)


def _stretch(length: int, widest: int) -> tuple[int, int]:
    width = int(torch.randint(min(widest, length) + 1, ()))
    start = int(torch.randint(length - width + 1, ()))
    return start, start + width
