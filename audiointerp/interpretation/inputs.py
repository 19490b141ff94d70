"""Checks of what an explainer is given."""

import torch
from torch import Tensor

from ..errors import ArgumentError
from .score import describe_tensor


def check_features(db: Tensor) -> None:
    """Check that features are a finite float tensor ``(N, 1, F, T)`` of at least one clip.

    Raises:
        ArgumentError: they are not.

    >>> check_features(torch.zeros(1, 1, 64, 100))
    """
    if not isinstance(db, Tensor):
        raise ArgumentError(
            f"features are a tensor (N, 1, F, T), e.g. spectrogram.db, not a {type(db).__name__}"
        )
    if db.ndim != 4 or db.shape[1] != 1 or not len(db) or not db.is_floating_point():
        raise ArgumentError(
            f"features are a float tensor (N, 1, F, T), not {db.dtype} of shape {tuple(db.shape)}"
        )
    if not db.isfinite().all():
        raise ArgumentError("the features contain NaN or infinite values")


def one_class_per_clip(name: str, number: int | Tensor | None, db: Tensor) -> Tensor | None:
    """Return a class number for each clip ``(N,)``; None if ``number`` is.

    Args:
        name: what the classes are, for messages.
        number: one for all clips, or ``(N,)``.
        db: features of N clips.

    Raises:
        ArgumentError: it is neither.

    >>> one_class_per_clip("target", 1, torch.zeros(2, 1, 3, 4))
    tensor([1, 1])
    """
    if number is None:
        return None
    if isinstance(number, str):
        raise ArgumentError(
            f"a {name} is a class number here, not {number!r}; use classifier.target(name)"
        )
    classes = torch.as_tensor(number, device=db.device)
    if classes.is_floating_point() or classes.shape not in ((), (1,), (len(db),)):
        raise ArgumentError(
            f"a {name} is one class number, or one per clip ({len(db)},), "
            f"not {describe_tensor(classes)}"
        )
    return classes.expand(len(db))


def check_background(background: Tensor) -> None:
    """Check that a background is features ``(B, 1, F, T)`` of at least one clip, all finite.

    Raises:
        ArgumentError: it is not.

    >>> check_background(torch.zeros(4, 1, 64, 100))
    """
    if not isinstance(background, Tensor):
        raise ArgumentError(
            f"a background is features (B, 1, F, T) of B clips, not a {type(background).__name__}"
        )
    if background.ndim != 4 or background.shape[1] != 1 or not len(background):
        raise ArgumentError(
            f"a background is features (B, 1, F, T) of B clips, not {tuple(background.shape)}"
        )
    if not background.isfinite().all():
        raise ArgumentError("the background contains NaN or infinite values")
