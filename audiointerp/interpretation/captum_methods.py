"""The captum methods that are known by name; captum is imported when one is made."""

from torch import Tensor, nn

from ..util import FLOOR
from .captum import Captum
from .inputs import check_background

BATCH = 32
"""Versions of a clip in one forward pass."""


class IntegratedGradients(Captum):
    """Gradients along the path from a baseline to the clip (Sundararajan et al., ICML 2017).

    The values sum to f(clip) - f(baseline), up to the error of a finite number of ``steps``.

    Args:
        network: see :class:`~audiointerp.interpretation.Explainer`.
        baseline: a level in dB, or features ``(1, 1, F, T)``.
        steps: points on the path.

    >>> import torch
    >>> linear = nn.Sequential(nn.Flatten(), nn.Linear(6, 2))
    >>> values = IntegratedGradients(linear, 0.0)(torch.ones(1, 1, 2, 3), target=1).values
    >>> bool(torch.allclose(values.flatten(), linear[1].weight[1], atol=1e-6))
    True
    """

    name = "integrated_gradients"
    uses_layers = False
    uses_input_gradients = True

    def __init__(
        self, network: nn.Module, baseline: float | Tensor = FLOOR, steps: int = 50
    ) -> None:
        import captum.attr

        start = (lambda db: baseline.to(db)) if isinstance(baseline, Tensor) else baseline
        super().__init__(
            network,
            captum.attr.IntegratedGradients,
            baselines=start,
            n_steps=steps,
            internal_batch_size=BATCH,
        )


class SmoothGrad(Captum):
    """The mean gradient over noisy copies of the clip (Smilkov et al., 2017).

    Args:
        network: see :class:`~audiointerp.interpretation.Explainer`.
        noise: standard deviation of the noise, as a share of the clip's range in dB.
        samples: the number of copies.
        seed: of the noise.

    >>> import torch
    >>> linear = nn.Sequential(nn.Flatten(), nn.Linear(6, 2))
    >>> values = SmoothGrad(linear)(torch.rand(1, 1, 2, 3), target=1).values
    >>> bool(torch.allclose(values.flatten(), linear[1].weight[1], atol=1e-6))
    True
    """

    name = "smoothgrad"
    uses_layers = False
    uses_input_gradients = True
    explains = "gradient"

    def __init__(
        self, network: nn.Module, noise: float = 0.15, samples: int = 32, seed: int = 0
    ) -> None:
        import captum.attr

        super().__init__(
            network,
            lambda score: captum.attr.NoiseTunnel(captum.attr.Saliency(score)),
            seed=seed,
            abs=False,
            nt_type="smoothgrad",
            nt_samples=samples,
            nt_samples_batch_size=BATCH,
            stdevs=lambda db: noise * float(db.max() - db.min()),
        )


class GradientSHAP(Captum):
    """Expected gradients over a background; they add up as SHAP's values do, in expectation.

    Each sample is a random point between the clip and a random clip of the background (Lundberg and
    Lee, NeurIPS 2017; Erion et al., 2021).

    Args:
        network: see :class:`~audiointerp.interpretation.Explainer`.
        background: features ``(B, 1, F, T)`` of the clips to compare with.
        samples: the number of random points.
        seed: of the random points.

    >>> import torch
    >>> linear = nn.Sequential(nn.Flatten(), nn.Linear(6, 2))
    >>> background, clip = torch.zeros(3, 1, 2, 3), torch.ones(1, 1, 2, 3)
    >>> values = GradientSHAP(linear, background)(clip, target=1).values
    >>> bool(torch.allclose(values.flatten(), linear[1].weight[1], atol=1e-6))
    True
    """

    name = "gradient_shap"
    uses_layers = False
    uses_input_gradients = True
    needs_background = True

    def __init__(
        self, network: nn.Module, background: Tensor, samples: int = 50, seed: int = 0
    ) -> None:
        import captum.attr

        check_background(background)
        super().__init__(
            network,
            captum.attr.GradientShap,
            seed=seed,
            baselines=lambda db: background.to(db),
            n_samples=samples,
        )
