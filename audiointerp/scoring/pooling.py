"""Join the attributions of a clip's windows into one of the clip's pooled score.

A clip's probability p is the mean over its windows, weighted by the frames that each window owns.
A window's attribution explains that window's own score, so it is weighted by the derivative of p
with respect to this score. A window on which p does not depend then has no weight, however large
its own attribution is. The largest weight is 1.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..errors import choose
from ..interpretation import Attribution, Explainer, relative_gap, relative_to
from ..model import Classifier
from ..processing import Windows
from ..util import FLOOR, INDEPENDENT, evaluating, network_logits

EXPLAINS = ("logit", "gradient", "probability", "nothing")
"""What a method's values explain: a difference of a window's logit, its gradient, a difference of
its probability, or nothing (random values)."""


def window_weights(
    logs: tuple[Tensor, Tensor],
    shares: Tensor,
    target: int,
    against: int | None = None,
    *,
    output: str = "softmax",
    explains: str = "logit",
    differences: Tensor | None = None,
) -> Tensor:
    """Return the weight of each window's attribution in that of the clip.

    It is the derivative of the clip's p with respect to what the window's attribution explains,
    divided by the largest. For the logit of a class it is share * p (1 - p), with the window's p.
    For one class against another, p is the probability of one of the two, and the derivative is
    that for the difference of their logits, their sum held fixed.

    A method that explains a finite ``difference`` of the logit, as SHAP does, gets the mean of the
    derivative over that difference, share * (p - p') / difference, where p' is p after the logit
    has fallen by it. Where a window is certain the derivative is nearly 0, although p would be
    lost with the difference.

    Args:
        logs: log p and log(1 - p) of W windows, each ``(W, C)`` float64.
        shares: the share of the clip's frames that each window owns, ``(W,)``, positive.
        target: the explained class.
        against: the class it is explained against, or None.
        output: what the logits mean, a name in ``OUTPUTS``.
        explains: what the method's values explain, one of :data:`EXPLAINS`; for ``"nothing"`` all
            weights are 1.
        differences: of each window's explained logit, ``(W,)``; None for the derivative itself.

    Returns:
        ``(W,)`` float64, the largest 1.

    Raises:
        ArgumentError: ``explains`` is unknown.

    >>> log_p = torch.tensor([[0.5, 0.5], [0.9, 0.1]], dtype=torch.float64).log()
    >>> shares = torch.tensor([0.5, 0.5], dtype=torch.float64)
    >>> window_weights((log_p, log_p.flip(1)), shares, target=0)
    tensor([1.0000, 0.3600], dtype=torch.float64)
    """
    choose("explains", explains, EXPLAINS)
    if explains == "nothing":
        return torch.ones_like(shares)
    log_odds = _own_log_odds(logs, target, against, output)
    own_log_slope = functional.logsigmoid(log_odds) + functional.logsigmoid(-log_odds)
    # In logarithms, since p (1 - p) of a window that is certain can round to 0.
    log_weights = shares.to(log_odds).log()
    if against is None:
        log_weights = log_weights + own_log_slope
    else:
        log_weights = log_weights + _log_slope_of_two(logs, log_weights, target, against, output)
    if explains == "probability":
        log_weights = log_weights - own_log_slope
    elif differences is not None:
        log_weights = log_weights + _log_mean_over(differences.to(log_odds), log_odds)
    return (log_weights - log_weights.max()).exp()


def _own_log_odds(
    logs: tuple[Tensor, Tensor], target: int, against: int | None, output: str
) -> Tensor:
    """Return the log-odds ``(W,)`` of each window's own p."""
    log_p, log_not_p = logs
    if against is None:
        return log_p[:, target] - log_not_p[:, target]
    logits = log_p if output not in INDEPENDENT else log_p - log_not_p
    return logits[:, target] - logits[:, against]


def _log_slope_of_two(
    logs: tuple[Tensor, Tensor], log_shares: Tensor, target: int, against: int, output: str
) -> Tensor:
    """Return the log of the derivative of p, that of one of two, up to a common constant."""
    log_p, log_not_p = logs
    pooled, pooled_not = ((log_shares[:, None] + each).logsumexp(0) for each in logs)

    def part(label: int, other: int) -> Tensor:
        if output in INDEPENDENT:
            return log_p[:, label] + log_not_p[:, label] - pooled[label] - pooled_not[label]
        # A softmax class also gains what the falling logit of the other class gives it.
        gain = torch.logaddexp(log_not_p[:, label], log_p[:, other])
        return log_p[:, label] + gain - pooled[label]

    return torch.logaddexp(part(target, against), part(against, target))


def _log_mean_over(differences: Tensor, log_odds: Tensor) -> Tensor:
    """Return the log of the mean derivative of p over a difference, less that of p's derivative.

    With sigmoid s, (s(u) - s(u - d)) / d = s(u) s(d - u) (1 - exp(-d)) / d.
    """
    nonzero = differences.where(differences != 0, 1e-9)
    log_ratio = (torch.expm1(-nonzero) / -nonzero).log()
    fallen = functional.logsigmoid(nonzero - log_odds)
    return log_ratio + fallen - functional.logsigmoid(-log_odds)


def explained_differences(
    classifier: Classifier,
    explainer: Explainer,
    bound: Sequence[tuple[nn.Module, Tensor]],
    attributions: Sequence[Attribution],
) -> Tensor | None:
    """Return the difference of the logit that each window's attribution explains, ``(W,)``.

    A method that states none, e.g. Grad-CAM, is taken to explain the difference from silence. With
    the derivative alone, a window on which the network is certain would have no weight, and faint
    noise in another window would win.

    Args:
        classifier: the classifier.
        explainer: the method.
        bound: the clip's windows, see :func:`~audiointerp.model.bound_windows`.
        attributions: one per window.

    Returns:
        ``(W,)``, or None if the method explains something else, e.g. the gradient.

    >>> from audiointerp import Cnn6, LogMel, Saliency
    >>> network = Cnn6(2, base_channels=4)
    >>> classifier = Classifier(network, LogMel(), ["cat", "dog"], duration=1.0)
    >>> explained_differences(classifier, Saliency(network), [], []) is None
    True
    """
    if explainer.explains != "logit":
        return None
    infos = [attribution.info for attribution in attributions]
    for stated in ("difference", "from_fill"):
        if all(stated in info for info in infos):
            return torch.cat([info[stated] for info in infos])
    differences = torch.cat([_from_silence(*window, classifier.output) for window in bound])
    first = attributions[0]
    if not differences.isfinite().all():
        # A model that divides by the level has no answer for silence; then the derivative is used.
        return None
    explained = differences[:, int(first.target)]
    return explained if first.against is None else explained - differences[:, int(first.against)]


@torch.no_grad()
def _from_silence(network: nn.Module, levels: Tensor, output: str) -> Tensor:
    """Return the logits of a window less those of silence, ``(1, C)``."""
    silence = torch.full_like(levels, FLOOR)
    with evaluating(network):
        logits, silent_logits = (
            network_logits(network, each, output) for each in (levels, silence)
        )
    return (logits - silent_logits).double().cpu()


def join_attributions(
    attributions: Sequence[Attribution], windows: Windows, weights: Tensor
) -> Attribution:
    """Join the attributions of a clip's windows, times their weights, into that of the clip.

    Each frame is taken from the window that owns it; frames of padding, and those that another
    window owns, are cut. ``info`` says what was cut if the method is SHAP, see
    :func:`~audiointerp.scoring.explain.explain_clip`.

    Args:
        attributions: one per window, each of one clip ``(1, 1, F, size)``.
        windows: where they lie in the clip.
        weights: of :func:`window_weights`, ``(W,)``.

    >>> windows = Windows(frames=3, size=2)
    >>> one = Attribution(torch.ones(1, 1, 1, 2), torch.tensor([0]), torch.ones(1, 2) / 2, "mine")
    >>> join_attributions([one, one], windows, torch.tensor([1.0, 0.5])).values.flatten().tolist()
    [1.0, 1.0, 0.5]
    """
    first = attributions[0]
    window_probs = torch.cat([attribution.probs for attribution in attributions])
    values = torch.stack([attribution.values for attribution in attributions])
    # The values of a single window are not touched.
    if len(values) > 1:
        values = values * weights.to(values).view(-1, *[1] * (values.ndim - 1))
    joined = windows.join(values)
    info = _join_info([attribution.info for attribution in attributions])
    if "difference" in info:
        info |= _additivity(values, joined, weights, info["difference"][0])
    return Attribution(
        values=joined,
        target=first.target,
        probs=(windows.weights.to(window_probs) @ window_probs)[None],
        method=first.method,
        info=info | {"window_weights": weights[None]},
        against=first.against,
    )


def _join_info(infos: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Join the tensors of each window's info; of other entries, keep those that all share."""
    joined: dict[str, Any] = {}
    for name, value in infos[0].items():
        values = [info[name] for info in infos]
        if isinstance(value, Tensor):
            joined[name] = torch.cat(values)[None]
        elif all(other == value for other in values):
            joined[name] = value
    return joined


def _additivity(
    values: Tensor, joined: Tensor, weights: Tensor, differences: Tensor
) -> dict[str, Tensor]:
    """Return the difference that a clip's SHAP values explain, their gap, and the part cut off.

    Args:
        values: those of all windows, weighted, ``(W, 1, 1, F, size)``.
        joined: those of the clip, ``(1, 1, F, T)``.
        weights: of the windows, ``(W,)``.
        differences: f(x) - E f(b) of each window, ``(W,)``.
    """
    difference = (weights.to(differences.device) * differences).sum()[None]
    # On the CPU, since not every device has float64.
    sums_by_window = [window.flatten(1).cpu().double().sum(1) for window in values]
    cut = torch.stack(sums_by_window).sum(0) - joined.flatten(1).cpu().double().sum(1)
    return {
        "difference": difference,
        "additivity_gap": relative_gap(joined, difference),
        "outside": relative_to(cut, difference),
    }
