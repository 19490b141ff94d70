"""The calls of other libraries: captum's classes as methods, Quantus' function of explanations."""

import inspect
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import ArgumentError, choose
from ..util import FLOOR
from .base import Explainer
from .captum import Captum
from .methods import METHODS


def explain_func(
    method: Any, *, output: str = "softmax", **arguments: Any
) -> Callable[..., np.ndarray]:
    """Return a function that explains as Quantus calls it (``explain_func=``).

    Args:
        method: a name in ``METHODS``, an explainer class, or a captum class.
        output: what the network's outputs are, a name in ``OUTPUTS``.
        **arguments: of the class, behind the network, e.g. ``samples=200``.

    Returns:
        A function of ``model``, ``inputs`` (features ``(N, 1, F, T)``), ``targets`` (classes
        ``(N,)``) and keywords, which are further arguments of the class, or ``device``. It returns
        the values ``(N, 1, F, T)``. The explainer is built for each call, since Quantus changes
        the network between calls.

    Raises:
        ArgumentError: the method is unknown. When called: an argument is not one of the class.

    >>> network = nn.Sequential(nn.Flatten(), nn.Linear(6, 2))
    >>> clips = np.ones((3, 1, 2, 3), np.float32)
    >>> explain_func("saliency")(model=network, inputs=clips, targets=np.array([0, 1, 1])).shape
    (3, 1, 2, 3)
    """
    kind = METHODS[choose("method", method, METHODS)] if isinstance(method, str) else method

    def explain(
        model: nn.Module, inputs: Any, targets: Any = None, device: Any = None, **more: Any
    ) -> np.ndarray:
        explainer = _built(kind, model, arguments | more)
        if device is None:
            device = next((parameter.device for parameter in model.parameters()), None)
        db = torch.as_tensor(np.asarray(inputs), device=device)
        target = None if targets is None else torch.as_tensor(np.asarray(targets), device=device)
        values: np.ndarray = explainer(db, target, output=output).values.cpu().numpy()
        return values

    return explain


def _built(kind: Any, network: nn.Module, arguments: dict[str, Any]) -> Explainer:
    if is_captum_class(kind):
        return from_captum(network, kind, **arguments)
    if not (isinstance(kind, type) and issubclass(kind, Explainer)):
        raise ArgumentError(
            f"a method is a name, an explainer class or a captum class, not {kind!r:.80}"
        )
    try:
        inspect.signature(kind).bind(network, **arguments)
    except TypeError as error:
        raise ArgumentError(f"{kind.__name__}: {error}; give it as a keyword here") from error
    return kind(network, **arguments)


def is_captum_class(kind: Any) -> bool:
    """Return whether ``kind`` is a class of captum's attribution methods.

    >>> import captum.attr
    >>> is_captum_class(captum.attr.DeepLift), is_captum_class(Captum)
    (True, False)
    """
    # Who has one has imported captum, which takes most of a second.
    captum_methods = sys.modules.get("captum.attr")
    if captum_methods is None:
        return False
    return isinstance(kind, type) and issubclass(kind, captum_methods.Attribution)


def from_captum(network: nn.Module, kind: Any, **arguments: Any) -> Captum:
    """Return a captum class as an explainer, with silence as its baseline.

    captum's own default, 0, is the level of a loud sound on this scale. The explainer has the name
    of the class in small letters, with ``captum_`` before it if that is a name in ``METHODS``.

    Args:
        network: see :class:`~audiointerp.interpretation.Explainer`.
        kind: a class that takes a function, e.g. ``captum.attr.DeepLift``.
        **arguments: of its ``attribute``.

    Raises:
        ArgumentError: the class, or its ``attribute``, takes something more.

    >>> import captum.attr
    >>> from_captum(nn.Linear(1, 1), captum.attr.DeepLift).name
    'deeplift'
    >>> from_captum(nn.Linear(1, 1), captum.attr.IntegratedGradients).name
    'integratedgradients'
    >>> from_captum(nn.Linear(1, 1), captum.attr.Saliency).name
    'captum_saliency'
    """
    missing = [
        *_required(kind.__init__, ("self", "forward_func", "model")),
        *_required(kind.attribute, ("self", "inputs", "baselines", *arguments)),
    ]
    if missing:
        raise ArgumentError(
            f"captum's {kind.__name__} needs {', '.join(missing)}: give an object, "
            f"Captum(network, lambda score: captum.attr.{kind.__name__}(score, …), name=…, …)"
        )
    if "baselines" in inspect.signature(kind.attribute).parameters:
        arguments = {"baselines": silence} | arguments
    name = kind.__name__.lower()
    return Captum(network, kind, name=f"captum_{name}" if name in METHODS else name, **arguments)


def silence(db: Tensor) -> Tensor:
    """Return features of silence, of the shape of ``db``: -100 dB.

    >>> silence(torch.zeros(1, 1, 1, 2)).tolist()
    [[[[-100.0, -100.0]]]]
    """
    return torch.full_like(db, FLOOR)


def _required(function: Any, given: Sequence[str]) -> list[str]:
    """Return the parameters without a default that are not given."""
    return [
        name
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        and name not in given
    ]
