"""What a part holds of a clip: its share of the energy and of the audible bins.

Masks of equal area can keep very different shares of the sound.
"""

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..errors import AudioWarning
from ..processing import MaskedParts
from ..util import FLOOR

if TYPE_CHECKING:
    import pandas as pd

AUDIBLE_DB = 60.0
"""A bin is audible if it is at most this far below the clip's largest level."""
RETURNED_DB = 6.0
"""A bin comes back if its level in the part differs by at most this from that in the clip."""
BATCH = 16
"""Versions of a clip that are made at a time."""


def energy_shares(db: Tensor, masks: Tensor) -> Tensor:
    """Return ENERGY: the share of the clip's power that masks keep, where the rest is silent.

    The power is that of the grid's bins; bins at the floor of -100 dB have none. It depends neither
    on the fill nor on ``on``.

    Args:
        db: the clip's levels ``(1, 1, F, T)``.
        masks: ``(M, 1, F, T)`` in [0, 1], shares of the levels above the floor.

    Returns:
        ``(M,)`` float64 in [0, 1]; NaN for a clip without power.

    >>> db = torch.tensor([0.0, 0.0, -10.0, -100.0]).view(1, 1, 2, 2)
    >>> mask = torch.tensor([1.0, 0.0, 1.0, 1.0]).view(1, 1, 2, 2)
    >>> round(energy_shares(db, mask).item(), 4) == round(1.1 / 2.1, 4)
    True
    """
    # Some devices have no float64.
    levels = db.cpu().double()
    floor = torch.full_like(levels, FLOOR)
    # lerp is exact at 0 and at 1.
    kept = _power(torch.lerp(floor, levels, masks.to(levels))).flatten(1).sum(1)
    return kept / _power(levels).sum()


def _power(levels: Tensor) -> Tensor:
    return torch.where(levels > FLOOR, 10 ** (levels / 10), 0.0)


def heard_shares(db: Tensor, part_db: Tensor) -> Tensor:
    """Return HEARD: the share of the clip's audible bins that come back in its parts.

    A bin is audible if it is above the floor and within 60 dB of the clip's largest level. It comes
    back if its level in the part is above the floor and within 6 dB of that in the clip.

    Args:
        db: the clip's levels ``(1, 1, F, T)``.
        part_db: those of K parts ``(K, 1, F, T)``.

    Returns:
        ``(K,)`` float64 in [0, 1]; NaN for a clip without an audible bin.

    >>> db = torch.tensor([0.0, -50.0, -70.0, -20.0]).view(1, 1, 2, 2)
    >>> part = torch.tensor([-5.0, -100.0, -70.0, -27.0]).view(1, 1, 2, 2)
    >>> round(heard_shares(db, part).item(), 4) == round(1 / 3, 4)
    True
    """
    audible = audible_bins(db)
    returned = (part_db > FLOOR) & ((part_db - db).abs() <= RETURNED_DB)
    counts = (audible & returned).flatten(1).sum(1).cpu()
    return counts.double() / int(audible.sum())


def audible_bins(db: Tensor) -> Tensor:
    """Return where a clip is audible: above the floor, within 60 dB of its largest level.

    >>> audible_bins(torch.tensor([0.0, -60.0, -61.0])).tolist()
    [True, True, False]
    """
    return (db > FLOOR) & (db >= db.amax() - AUDIBLE_DB)


def heard_under(parts: MaskedParts, masks: Tensor, *, on: str = "features") -> Tensor:
    """Return HEARD of a clip's kept parts under masks, ``(M,)``; see :func:`heard_shares`.

    Args:
        parts: what makes the parts of the clip.
        masks: ``(M, 1, F, T)`` in [0, 1].
        on: see :func:`~audiointerp.scoring.outcomes.classify_parts`.

    >>> from audiointerp import LogMel
    >>> clip = LogMel()(torch.randn(1, 1, 32000))
    >>> heard_under(MaskedParts(clip), torch.ones_like(clip.db), on="audio").item()
    1.0
    """
    levels = parts.heard if on == "audio" else parts.levels
    # A few at a time, which bounds the memory.
    return torch.cat([heard_shares(parts.clip.db, levels(some)) for some in masks.split(BATCH)])


def warn_of_silent_clips(rows: "pd.DataFrame", stacklevel: int = 2) -> None:
    """Warn of clips without power: their parts are the clip itself, whatever a mask keeps.

    Args:
        rows: of scored clips, with the columns ``clip``, ``status`` and ``ENERGY``.
        stacklevel: see :func:`warnings.warn`, counted from the caller.

    >>> import pandas as pd
    >>> rows = pd.DataFrame({"clip": ["a", "b"], "status": "ok", "ENERGY": [0.5, float("nan")]})
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     warn_of_silent_clips(rows)
    >>> str(caught[0].message)[:29]
    '1 of 2 clips is silent (b): e'
    """
    silent = rows.loc[(rows["status"] == "ok") & rows["ENERGY"].isna(), "clip"].unique()
    warn_of_silence(list(silent), rows["clip"].nunique(), stacklevel + 1)


def warn_of_silence(silent: Sequence[str], clips: int, stacklevel: int = 2) -> None:
    """Warn, if there are any, of clips that are known to be without power.

    Args:
        silent: their names.
        clips: the number of all clips.
        stacklevel: see :func:`warnings.warn`, counted from the caller.

    >>> warn_of_silence([], 2)
    """
    if not silent:
        return
    are = "is" if len(silent) == 1 else "are"
    names = ", ".join(silent[:3]) + (", …" if len(silent) > 3 else "")
    warnings.warn(
        f"{len(silent)} of {clips} clips {are} silent ({names}): each part of such a clip "
        "is the clip itself, so whatever the method, FidIn is 1 and AD 0 there; leave such "
        "clips out",
        AudioWarning,
        stacklevel=stacklevel + 1,
    )
