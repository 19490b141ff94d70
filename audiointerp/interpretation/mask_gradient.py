"""The gradient of the logit by a mask, averaged over random masks."""

import torch
from torch import Tensor, nn

from ..errors import ArgumentError
from ..util import Progress, fill_levels, is_number, whole_number
from .calls import show_calls
from .components import component_shares, with_means
from .rise import RISE, precision, standard_error
from .score import Score


class MaskGradient(RISE):
    """How much the explained logit rises with a mask around a bin, on average over random masks.

    The network hears the clip x under the random smooth masks M of :class:`RISE`, with a fill f in
    place of what is removed: v = f + M (x - f). The value of a bin is the derivative of the logit
    by a cell of the mask whose middle is the bin, averaged over the masks:

        mean over M of sum over bins b of w_b (x_b - f_b) dlogit(v) / dv_b,

    where the weights w fall linearly to 0 at the middles of the next cells. It is in logits per
    cell, and from a backward pass each bin has its own: a few dozen masks say as much as hundreds
    of forward passes of :class:`LogitRISE`. The mean derivative at random points is that of the
    multilinear extension (Owen, Management Science 1972), here of cells between 0 and 1.

    To it comes ``frame`` times the mean of these values over the bins of the frame. Most events
    sound in many bands at once, so when they sound is told by all bands, with less noise than by
    one. To the sum comes ``component_weight`` times its mean over each of the clip's ``components``
    (:func:`~audiointerp.interpretation.components.component_shares`), given to a bin by their
    shares of it: what sounds as one is explained as one. With these means a value is in no unit:
    compare values within a map. Neither takes a further pass of the network; both were chosen on
    mixtures of fold 4, see ``docs/methods.md``.

    In ``info``, ``"mean_logit"``, ``"standard_error"``, ``"noise_share"`` and ``"from_fill"`` are
    as for :class:`LogitRISE`.

    Args:
        network, cells, keep, fill, seed, progress: as for :class:`RISE`.
        samples: the number of masks.
        frame: the weight of the mean over the frame, at least 0; 0 leaves the derivative alone.
        components: the number of components, at least 1.
        component_weight: the weight of the mean over a component, at least 0; 0 leaves it out.
        batch: versions at a time, forwards and backwards; it affects memory and rounding only.

    Raises:
        ArgumentError: as for :class:`RISE`; ``components`` is not a whole number from 1 on; a
            weight is below 0 or not finite.

    >>> network = nn.Sequential(nn.Flatten(), nn.Linear(160, 2))
    >>> attribution = MaskGradient(network, cells=(2, 4), samples=4)(torch.rand(2, 1, 8, 20))
    >>> attribution.values.shape, attribution.info["noise_share"].tolist()
    (torch.Size([2, 1, 8, 20]), [0.0, 0.0])
    """

    name = "mask_gradient"
    black_box = False
    uses_layers = False
    uses_input_gradients = True
    explains = "logit"

    def __init__(
        self,
        network: nn.Module,
        cells: tuple[int, int] = (8, 8),
        keep: float = 0.5,
        fill: str = "background",
        samples: int = 64,
        seed: int = 0,
        batch: int = 4,
        progress: Progress = None,
        frame: float = 2.0,
        components: int = 8,
        component_weight: float = 5.0,
    ) -> None:
        super().__init__(network, cells, keep, fill, samples, seed, batch, progress)
        for name, weight in (("frame", frame), ("component_weight", component_weight)):
            if not is_number(weight) or weight < 0:
                raise ArgumentError(f"{name}={weight!r} must be a finite number, at least 0")
        self.components = whole_number("components", components, least=1)
        self.frame = frame
        self.component_weight = component_weight

    def _explain_clip(self, score: Score, db: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the values ``(1, 1, F, T)``, the standard error and the mean logit, ``(1,)``."""
        fill = fill_levels(db, self.fill, self.seed)
        rows, columns = (
            around(size, -(-size // cells)).to(db.device, precision(db))
            for size, cells in zip(db.shape[2:], self.cells, strict=True)
        )
        shares = None
        if self.component_weight:
            shares = component_shares(db[0, 0], self.components).to(rows)
        total = torch.zeros(db.shape, dtype=precision(db), device=db.device)
        squares, logits = torch.zeros_like(total), []
        with show_calls(self.name, self.samples, self.progress) as advance:
            for masks in self._masks(db):
                versions = torch.lerp(fill, db, masks.to(db)).requires_grad_()
                output = score.of_versions(versions)
                (gradient,) = torch.autograd.grad(output.sum(), versions)
                maps = rows @ (gradient * (db - fill)).to(total) @ columns.mT
                maps = with_means(maps, self.frame, shares, self.component_weight)
                total += maps.sum(0, keepdim=True)
                squares += maps.square().sum(0, keepdim=True)
                logits.append(output.detach().to(total))
                advance(len(masks))
        error = standard_error(total, squares, self.samples)
        return total / self.samples, error, torch.cat(logits).mean()[None]


def around(size: int, cell: int) -> Tensor:
    """Return the weights with which a cell around each place takes the others, ``(size, size)``.

    They fall linearly to 0 at the distance of a cell, and sum to its size also near the ends.

    >>> around(4, 2)
    tensor([[1.3333, 0.6667, 0.0000, 0.0000],
            [0.5000, 1.0000, 0.5000, 0.0000],
            [0.0000, 0.5000, 1.0000, 0.5000],
            [0.0000, 0.0000, 0.6667, 1.3333]], dtype=torch.float64)
    """
    places = torch.arange(size, dtype=torch.float64)
    weights = (1 - (places[:, None] - places).abs() / cell).clamp_min(0)
    return weights * (cell / weights.sum(1, keepdim=True))
