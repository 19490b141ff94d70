"""A mask that is optimised: what it keeps shows the class, and the rest does not."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import ArgumentError, ModelError, choose
from ..util import FILLS, Progress, explained_model, fill_levels, is_number, whole_number
from .base import Explainer, seed_of
from .calls import show_calls
from .default_layer import early_layer
from .gradcam import LayerCAM
from .measurement import Measurement
from .ranking import Ranking, soft_masks, standardised
from .score import Score, describe_tensor

START_WEIGHT = 0.5
"""How much of the start map is in the ranking."""
RATE = 0.4
"""The step size of Adam."""
STARTS = ("layercam", "none")


class OptimalMask(Explainer):
    """A ranking of the bins whose first ones show the class, while the others do not.

    The ranking u is the sum of bilinear grids, from 64 by 128 to 4 by 8 cells in frequency and in
    time, and of half a start map, standardised over the clip. Each step draws areas a; the mask of
    an area is sigmoid((u - q) / 0.25) with q the 1 - a quantile of u; what it removes becomes a
    fill that is drawn; and Adam lowers

        -log p(kept part) - log(1 - p(removed part)).

    As u serves every area, it is an attribution: the mask of any area keeps its largest entries.
    Its mean is 0 and its standard deviation 1 in each clip, so the values do not say how sure the
    network is. The draws depend on the clip and the seed alone, and each clip is optimised by
    itself.

    In ``info``, each ``(N,)``: ``"loss"``, the mean over the last quarter of the steps, and
    ``"steps"``; and ``"start"``, the layer of the start map, or ``"none"`` or ``"given"``.

    Args:
        network: see :class:`~audiointerp.interpretation.Explainer`.
        steps: of Adam.
        areas: the smallest and the largest share of the bins that a mask keeps.
        fills: what a removed bin becomes, names in :data:`~audiointerp.util.FILLS`; each area of
            each step draws one of them.
        start: the start map: ``"layercam"``, LayerCAM of what enters the first pooling (none for a
            network without such a layer); ``"none"``; or a map ``(1, 1, F, T)`` for all clips.
        draws: the areas of one step.
        seed: of the draws, together with the clip's features.
        batch: versions of the clip in one forward pass; it affects memory and rounding only. A step
            has 2 for each area.
        progress: whether to show a progress bar, by default on a terminal or in a notebook; or a
            function of (calls done, total).

    Raises:
        ArgumentError: an argument is unknown or out of range. When called: the start map does not
            fit the features.

    >>> network = nn.Sequential(nn.Flatten(), nn.Linear(160, 2))
    >>> OptimalMask(network, steps=5)(torch.rand(2, 1, 8, 20)).values.shape
    torch.Size([2, 1, 8, 20])
    """

    name = "optimal"

    def __init__(
        self,
        network: nn.Module,
        steps: int = 40,
        areas: tuple[float, float] = (0.05, 0.6),
        fills: Sequence[str] = ("background", "noise"),
        start: str | Tensor = "layercam",
        draws: int = 1,
        seed: int = 0,
        batch: int = 16,
        progress: Progress = None,
    ) -> None:
        super().__init__(network)
        self.steps = whole_number("steps", steps, least=1)
        self.draws = whole_number("draws", draws, least=1)
        self.seed = whole_number("seed", seed, least=0)
        self.batch: int = whole_number("batch", batch, least=1)
        if not isinstance(areas, list | tuple) or len(areas) != 2 or not _rise(*areas):
            raise ArgumentError(f"areas={areas!r}: give two shares, 0 < smallest <= largest < 1")
        if isinstance(fills, str) or not fills:
            raise ArgumentError(f"fills={fills!r}: give a list of names, e.g. ['background']")
        self.fills = tuple(choose("fill", fill, FILLS) for fill in fills)
        self.start = start if isinstance(start, Tensor) else choose("start", start, STARTS)
        self.areas = tuple(areas)
        self.progress = progress
        self._start_methods: dict[Any, LayerCAM | None] = {}

    def _attribute(self, score: Score, db: Tensor) -> tuple[Tensor, dict[str, Any]]:
        score.settle(db)
        db = db.to(torch.promote_types(db.dtype, torch.float32))
        method = self._start_method(db)
        values, losses, origin = [], [], ""
        # Each clip by itself: Adam would amplify what rounding makes of its companions.
        for number in range(len(db)):
            clip, score_of_clip = db[number, None], score.of(number)
            start, origin = self._start_map(method, score_of_clip, clip)
            ranking, loss = self._explain_clip(score_of_clip, clip, start)
            values.append(ranking)
            losses.append(loss)
        steps = torch.full((len(db),), self.steps)
        return torch.cat(values), {"loss": torch.stack(losses), "steps": steps, "start": origin}

    def _start_method(self, db: Tensor) -> LayerCAM | None:
        """Return the method of the start map; its layer is measured once for each length."""
        if not isinstance(self.start, str) or self.start == "none":
            return None
        key = (explained_model(self.network), db.shape[1:])
        if key not in self._start_methods:
            layer = early_layer(Measurement(self.network, db[:1].detach()))
            self._start_methods[key] = None if layer is None else LayerCAM(self.network, layer)
        method = self._start_methods[key]
        return None if method is None else method.bound_to(self.network)

    def _start_map(self, method: LayerCAM | None, score: Score, clip: Tensor) -> tuple[Tensor, str]:
        """Return the standardised start map ``(1, 1, F, T)``, and where it is from."""
        if isinstance(self.start, Tensor):
            return standardised(_fitting(self.start, clip)), "given"
        if method is None:
            return torch.zeros_like(clip), "none"
        values, info = method._attribute(score, clip.clone())
        return standardised(values.detach().to(clip)), str(info["layer"])

    def _explain_clip(self, score: Score, db: Tensor, start: Tensor) -> tuple[Tensor, Tensor]:
        """Return the ranking of one clip ``(1, 1, F, T)``, and its loss."""
        generator = torch.Generator().manual_seed(seed_of(db, self.seed))
        fills = torch.cat([fill_levels(db, fill, self.seed) for fill in self.fills])
        ranking = Ranking(START_WEIGHT * start)
        optimizer = torch.optim.Adam(ranking.parameters(), RATE)
        losses = []
        with show_calls(self.name, 2 * self.draws * self.steps, self.progress) as advance:
            for _ in range(self.steps):
                filled = fills[torch.randint(len(fills), (self.draws,), generator=generator)]
                masks = soft_masks(ranking(), self._draw_areas(generator))
                levels = torch.cat([torch.lerp(filled, db, masks), torch.lerp(db, filled, masks)])
                loss, gradient = self._loss_and_gradient(score, levels)
                optimizer.zero_grad()
                levels.backward(gradient)
                optimizer.step()
                losses.append(loss)
                advance(len(levels))
        last = losses[3 * len(losses) // 4 :]
        return ranking().detach(), torch.stack(last).mean()

    def _draw_areas(self, generator: torch.Generator) -> list[float]:
        smallest, largest = self.areas
        drawn = torch.rand(self.draws, generator=generator, dtype=torch.float64)
        return (smallest + (largest - smallest) * drawn).tolist()

    def _loss_and_gradient(self, score: Score, levels: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean loss of a step, and its gradient by the levels.

        Args:
            score: the explained function.
            levels: the kept parts, then the removed parts, ``(2 D, 1, F, T)``.
        """
        is_kept = torch.arange(len(levels), device=levels.device) < len(levels) // 2
        losses, gradients = [], []
        for part, kept in zip(
            levels.detach().split(self.batch), is_kept.split(self.batch), strict=True
        ):
            part.requires_grad_()
            log_p, log_not_p = score.log_probability(part)
            loss = -torch.where(kept, log_p, log_not_p).sum() / self.draws
            gradients.append(torch.autograd.grad(loss, part)[0])
            losses.append(loss.detach())
        total = torch.stack(losses).sum()
        if not total.isfinite():
            raise ModelError(
                f"{self.name}: log p or log(1 - p) of class {score.target.tolist()} is not finite, "
                f"so there is nothing to lower; use integrated_gradients or gradcam"
            )
        return total, torch.cat(gradients)


def _rise(smallest: Any, largest: Any) -> bool:
    return is_number(smallest) and is_number(largest) and 0 < smallest <= largest < 1


def _fitting(start: Tensor, clip: Tensor) -> Tensor:
    if start.shape != clip.shape or not bool(start.isfinite().all()):
        raise ArgumentError(
            f"the start map is {describe_tensor(start)}; it must be finite and fit a clip, or a "
            f"window of a longer clip, {tuple(clip.shape)}"
        )
    return start.detach().to(clip)
