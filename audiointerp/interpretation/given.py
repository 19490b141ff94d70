"""A mask that is given as a tensor, whatever the attribution is."""

from dataclasses import dataclass

from torch import Tensor

from ..errors import ArgumentError
from .naming import usable_name


@dataclass(frozen=True, eq=False)
class GivenMask:
    """A mask of your own as a function that ignores the values of the attribution.

    Attributes:
        mask: ``(F, T)`` or ``(1, 1, F, T)`` in [0, 1], or boolean.
        name: in results; give several tensors different names.

    Raises:
        ArgumentError: it has another shape, or is not in [0, 1]. When called: it is not of the
            shape of the values.

    >>> import torch
    >>> GivenMask(torch.eye(2))(torch.zeros(1, 1, 2, 2)).flatten().tolist()
    [1.0, 0.0, 0.0, 1.0]
    """

    mask: Tensor
    name: str = "given"

    def __post_init__(self) -> None:
        usable_name(self.name)
        shape = tuple(self.mask.shape)
        if len(shape) not in (2, 4) or shape[:-2] not in ((), (1, 1)) or 0 in shape:
            raise ArgumentError(f"a mask is a tensor (F, T) or (1, 1, F, T), not {shape}")
        levels = self.mask.float()
        # Written so that NaN is refused, too.
        if self.mask.is_complex() or not bool(((levels >= 0) & (levels <= 1)).all()):
            raise ArgumentError(
                f"a mask lies in [0, 1]; this tensor has values from {float(levels.min()):g} to "
                f"{float(levels.max()):g}"
            )

    def __call__(self, values: Tensor) -> Tensor:
        if self.mask.shape[-2:] != values.shape[-2:]:
            wanted, shape = tuple(values.shape[-2:]), tuple(self.mask.shape)
            raise ArgumentError(
                f"the mask {shape} does not fit this clip, whose bins and frames are {wanted}; of "
                f"a clip longer than the classifier's windows, interpret() explains one window, "
                f'unless windows="all"'
            )
        return self.mask.to(values).expand(values.shape).clone()
