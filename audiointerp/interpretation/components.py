"""The components of a clip's sound: non-negative matrix factorisation."""

import torch
from torch import Tensor

from ..util import FLOOR

STEPS = 100
"""Of the multiplicative updates; the tests find known sounds with as many."""


def component_shares(levels: Tensor, count: int) -> Tensor:
    """Return each component's share of each bin, in [0, 1].

    The shares of a bin sum to 1; those of a bin at the floor, where nothing sounds, are 0.

    A component is a spectrum that rises and falls as a whole: the amplitudes of the clip are
    approximated by the sum of ``count`` products of a spectrum and its course in time, none of
    which is below 0 (Lee and Seung, Nature 1999; the generalised Kullback-Leibler divergence, as
    by Smaragdis and Brown, WASPAA 2003; the start is made of singular vectors, Boutsidis and
    Gallopoulos, Pattern Recognition 2008).

    Args:
        levels: of one clip, in dB, ``(F, T)``.
        count: the number of components, at least 1; there are at most as many as bins or frames.

    Returns:
        ``(K, F, T)`` float64, on the CPU.

    >>> tone, knock = torch.zeros(4, 6), torch.zeros(4, 6)
    >>> tone[1], knock[:, 3] = 1, 1
    >>> shares = component_shares(20 * (tone + knock).clamp_min(1e-4).log10(), 2)
    >>> shares.shape, bool((shares.sum(0) - 1).abs().max() < 1e-12)
    (torch.Size([2, 4, 6]), True)
    """
    # A second to import, and only methods with components need it.
    from sklearn.decomposition import NMF

    levels = levels.detach().cpu().double()
    amplitudes = 10 ** ((levels - levels.max()) / 20)
    # With tol=0 all steps are made, so there is nothing to warn of.
    factors = NMF(
        min(count, *levels.shape),
        init="nndsvda",
        solver="mu",
        beta_loss="kullback-leibler",
        max_iter=STEPS,
        tol=0.0,
        random_state=0,
    )
    spectra = torch.from_numpy(factors.fit_transform(amplitudes.numpy()))
    courses = torch.from_numpy(factors.components_)
    products = spectra.T[:, :, None] * courses[:, None, :] + torch.finfo(torch.float64).tiny
    return torch.where(levels > FLOOR, products / products.sum(0), 0.0)


def mean_by_component(values: Tensor, shares: Tensor) -> Tensor:
    """Return the mean value of each component, given back to its bins by its share of them.

    Args:
        values: maps of one clip, ``(N, 1, F, T)``.
        shares: of :func:`component_shares`, of the values' type and device.

    >>> shares = torch.tensor([[[1.0, 0.5, 0.0]], [[0.0, 0.5, 1.0]]])
    >>> mean_by_component(torch.tensor([[[[3.0, 0.0, 6.0]]]]), shares)
    tensor([[[[2., 3., 4.]]]])
    """
    by_bin = shares.flatten(1)
    # Of a silent clip no component has any bin.
    sizes = by_bin.sum(1).clamp_min(torch.finfo(by_bin.dtype).tiny)
    means = values.flatten(1) @ by_bin.T / sizes
    return (means @ by_bin).view(values.shape)


def with_means(values: Tensor, frame: float, shares: Tensor | None, weight: float) -> Tensor:
    """Add to values what their frame has on average, and then what their components have.

    Args:
        values: maps of one clip, ``(N, 1, F, T)``.
        frame: the weight of the mean over the bins of a frame.
        shares: see :func:`mean_by_component`; None adds no mean over components.
        weight: that of the mean over a component.

    >>> with_means(torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]]), 2.0, None, 0.0).tolist()
    [[[[5.0, 8.0], [7.0, 10.0]]]]
    """
    by_frame = values + frame * values.mean(2, keepdim=True)
    if shares is None:
        return by_frame
    return by_frame + weight * mean_by_component(by_frame, shares)
