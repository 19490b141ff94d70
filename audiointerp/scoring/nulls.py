"""The nulls of one clip and method: the masks and maps that its own are compared with."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ..interpretation import (
    Mask,
    in_frames,
    null_seed,
    random_field,
    random_shift,
    rearranged,
)


def null_masks(
    nulls: Sequence[str],
    db: Tensor,
    method: str,
    masks: Mapping[str, Tensor],
    functions: Mapping[str, Mask],
    other: Tensor | None = None,
) -> dict[str, Tensor]:
    """Return the masks of each null beside those of one clip and method.

    The random fields and the shifts are drawn for each method and mask anew. They depend only on
    the clip's features, the method's name, the mask's name and the null.

    Args:
        nulls: names in ``NULLS``.
        db: the clip's features ``(1, 1, F, T)``.
        method: the method's name.
        masks: the M masks ``(1, 1, F, T)`` by name.
        functions: what made them from the attribution, by the same names.
        other: another clip's attribution by the same method, ``(1, 1, F, T')``; None if there is
            none.

    Returns:
        ``(M, 1, F, T)`` by null, in the order of ``nulls``; without ``"rolled"`` for a clip of one
        frame, without ``"other"`` if there is no other clip, and without ``"matched"``, which
        depends on what is scored, see :func:`~audiointerp.scoring.matched.matched_masks`.

    >>> from audiointerp import MASKS
    >>> values = torch.arange(200.0).view(1, 1, 2, 100)
    >>> top = {"topK_5": MASKS["topK_5"](values)}
    >>> masks = null_masks(["smooth", "other"], values, "saliency", top, MASKS, -values[..., :50])
    >>> {null: mask.sum().item() for null, mask in masks.items()}
    {'smooth': 10.0, 'other': 10.0}
    """
    seeds = [null_seed(method, name) for name in masks]
    results = {}
    for null in nulls:
        if null == "matched":
            continue
        if null == "other":
            if other is not None:
                values = in_frames(other, db.shape[-1])
                results[null] = torch.cat([functions[name](values) for name in masks])
        elif null != "rolled":
            fields = torch.cat([random_field(db, null, seed) for seed in seeds])
            results[null] = rearranged(torch.cat(list(masks.values())), fields)
        elif db.shape[-1] > 1:
            pairs = zip(masks.values(), seeds, strict=True)
            results[null] = torch.cat(
                [mask.roll(random_shift(db, seed), -1) for mask, seed in pairs]
            )
    return results


def null_maps(
    nulls: Sequence[str], db: Tensor, method: str, values: Tensor, other: Tensor | None = None
) -> dict[str, Tensor]:
    """Return the map of each null, for the areas under the curves.

    Args:
        nulls, db, method, other: as for :func:`null_masks`.
        values: the attribution ``(1, 1, F, T)``.

    Returns:
        ``(1, 1, F, T)`` by null; without those that :func:`null_masks` leaves out.

    >>> values = torch.arange(200.0).view(1, 1, 2, 100)
    >>> list(null_maps(["pixelwise", "rolled", "other"], values, "saliency", values))
    ['pixelwise', 'rolled']
    """
    seed = null_seed(method)
    maps = {}
    for null in nulls:
        if null == "matched":
            continue
        if null == "other":
            if other is not None:
                maps[null] = in_frames(other, db.shape[-1])
        elif null != "rolled":
            maps[null] = random_field(db, null, seed)
        elif db.shape[-1] > 1:
            maps[null] = values.roll(random_shift(db, seed), -1)
    return maps
