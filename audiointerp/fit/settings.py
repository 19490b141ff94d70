"""How to train: the settings, and the published ones."""

from dataclasses import dataclass

from ..errors import ArgumentError, choose
from ..util import is_number, take_as_python

SCHEDULES = ("one_cycle", "cosine", "constant")
OPTIMIZERS = ("adamw", "adam")
PRECISIONS = ("float32", "bfloat16")
SMALLEST_INTEGERS = {"epochs": 1, "batch_size": 1, "seed": 0, "frequency_mask": 0, "time_mask": 0}
MEASURES = ("learning_rate", "weight_decay", "mixup", "gain", "removal", "averaging")
DEFAULT_DECAY = 1e-2
"""The weight decay of AdamW."""


@dataclass(frozen=True)
class FitSettings:
    """How to train; the defaults suit the small networks. See also :data:`PUBLISHED`.

    Attributes:
        epochs: passes over the training clips.
        batch_size: clips per step.
        seed: of the order, the augmentation and the dropout; the same seed on the same machine
            gives the same network.
        optimizer: ``"adamw"`` or ``"adam"``.
        learning_rate: the largest of the schedule.
        weight_decay: that of AdamW, by default 0.01; Adam has none, so there it must be 0.
        schedule: ``"one_cycle"``, ``"cosine"`` (to 0) or ``"constant"``.
        time_roll: whether each clip is rotated in time by a random number of frames.
        frequency_mask: the widest band that SpecAugment silences, in bins.
        time_mask: the longest stretch that SpecAugment silences, in frames.
        mixup: the parameter of mixup's beta distribution; 0 turns mixup off.
        gain: each training clip becomes quieter by a random gain of up to this many dB.
        removal: the probability with which bins of a training clip are removed, in [0, 1]: blobs
            or single bins, up to 90 % of them, with one of the fills; see
            :func:`~audiointerp.processing.augment`.

        averaging: the share of the running mean of the weights that each step keeps, e.g. 0.99; the
            mean is what is validated and kept. 0: the weights of the last step.
        precision: of the convolutions while training, ``"float32"`` or ``"bfloat16"``, which takes
            half the time on processors that have it (AVX512_BF16, CUDA).

    Raises:
        ArgumentError: a value is unknown, out of range, or not a whole number where one is needed.

    >>> FitSettings(epochs=3).weight_decay, FitSettings(optimizer="adam").weight_decay
    (0.01, 0.0)
    """

    epochs: int = 60
    batch_size: int = 16
    seed: int = 0
    optimizer: str = "adamw"
    learning_rate: float = 3e-3
    weight_decay: float | None = None
    schedule: str = "one_cycle"
    time_roll: bool = True
    frequency_mask: int = 10
    time_mask: int = 40
    mixup: float = 0.3
    gain: float = 0.0
    removal: float = 0.0
    averaging: float = 0.0
    precision: str = "float32"

    def __post_init__(self) -> None:
        take_as_python(self, *SMALLEST_INTEGERS, *MEASURES)
        choose("optimizer", self.optimizer, OPTIMIZERS)
        choose("schedule", self.schedule, SCHEDULES)
        choose("precision", self.precision, PRECISIONS)
        if self.weight_decay is None:
            # The record of a training shows the value that was used.
            decay = DEFAULT_DECAY if self.optimizer == "adamw" else 0.0
            object.__setattr__(self, "weight_decay", decay)
        for name, smallest in SMALLEST_INTEGERS.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int):
                raise ArgumentError(f"{name}={value!r} must be a whole number")
            if not smallest <= value < 2**63:
                raise ArgumentError(f"{name}={value!r} must be at least {smallest}, below 2**63")
        if not isinstance(self.time_roll, bool):
            raise ArgumentError(f"time_roll={self.time_roll!r:.40} must be True or False")
        for name in MEASURES:
            value = getattr(self, name)
            if not is_number(value) or value < 0:
                raise ArgumentError(f"{name}={value!r} must be finite and not below 0")
        if self.learning_rate == 0:
            raise ArgumentError(f"learning_rate={self.learning_rate!r} must be above 0")
        if self.removal > 1:
            raise ArgumentError(f"removal={self.removal!r} must be a probability, from 0 to 1")
        if self.averaging >= 1:
            raise ArgumentError(f"averaging={self.averaging!r} must be at least 0 and below 1")
        if self.optimizer == "adam" and self.weight_decay != 0:
            raise ArgumentError(
                f"weight_decay={self.weight_decay!r}: Adam has no weight decay here; "
                f"give optimizer='adamw' or weight_decay=0"
            )


PUBLISHED = FitSettings(
    epochs=20,
    batch_size=32,
    seed=42,
    optimizer="adam",
    learning_rate=1e-4,
    weight_decay=0.0,
    schedule="constant",
    time_roll=False,
    frequency_mask=10,
    time_mask=20,
    mixup=0.0,
)
"""The published settings."""
