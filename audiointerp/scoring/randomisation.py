"""Cascading randomisation: re-initialise a network layer by layer, and explain after each stage.

Source: Adebayo et al., "Sanity checks for saliency maps", NeurIPS 2018.
"""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count, pairwise

import torch
from torch import Tensor, nn

from ..errors import ArgumentError
from ..interpretation import Explainer, seeded
from ..model import Classifier, bound_windows
from ..processing import Spectrogram
from ..util import network_name, set_evaluation
from .explain import explain_clip

STAGES = 4
"""Maps per clip: after a quarter of the layers from the output down, after half of them, …"""

FIRST_SEED = 714_025
"""Added to the seed, so that a network built from a small seed does not get its first weights."""


@dataclass(frozen=True, eq=False)
class Stage:
    """The map of a network whose layers are re-initialised from the output down to ``layer``.

    Attributes:
        layer: the name of the layer that was re-initialised last.
        share: the share of the layers that are re-initialised, in (0, 1].
        values: the attribution, ``(1, 1, F, T)``.

    >>> Stage("fc1", 0.5, torch.zeros(1, 1, 2, 3)).share
    0.5
    """

    layer: str
    share: float
    values: Tensor


def cascade(
    classifier: Classifier,
    spectrogram: Spectrogram,
    explainer: Explainer,
    target: int,
    *,
    stages: int = STAGES,
    seed: int = 0,
) -> list[Stage]:
    """Explain a clip while the network is re-initialised from the output down.

    All happens on deep copies: the classifier and the explainer stay as they are, bit for bit. A
    layer is a module that holds parameters or batch statistics; the last one to run comes first,
    see :func:`re_initialise`. At the last stage nothing that was learned is left; buffers, e.g. the
    filters of a front end, are kept.

    Args:
        classifier: the classifier.
        spectrogram: the clip.
        explainer: the method, built on ``classifier.network``.
        target: the explained class, the same at every stage.
        stages: the number of maps, evenly spaced over the layers; at most one for each layer.
        seed: of the new weights.

    Raises:
        ArgumentError: the model has no parameters, as a function has none; or ``stages`` is below
            1.

    >>> from audiointerp import Cnn6, LogMel, Saliency
    >>> network = Cnn6(2, base_channels=4)
    >>> classifier = Classifier(network, LogMel(), ["cat", "dog"], duration=1.0)
    >>> clip = classifier.transform(torch.randn(1, 1, 32000))
    >>> [stage.layer for stage in cascade(classifier, clip, Saliency(network), 0, stages=2)]
    ['conv_block3.conv1', 'bn0']
    """
    if stages < 1:
        raise ArgumentError(f"stages={stages} must be at least 1")
    classifier, explainer = copy.deepcopy((classifier, explainer))
    set_evaluation(classifier.network)
    network, levels = bound_windows(classifier, spectrogram)[0]
    layers = layers_from_the_output(classifier.network, lambda: network(levels))
    if not layers:
        raise ArgumentError(
            f"{network_name(classifier.network)} has no parameters that can be re-initialised: "
            f"this check needs the network itself, an nn.Module"
        )
    maps = []
    with seeded(FIRST_SEED + seed):
        for name, modules, share in _in_stages(layers, stages):
            for module in modules:
                re_initialise(module)
            # SHAP rewrites the network when it is built or copied, so it is copied as it now is.
            current, method = copy.deepcopy((classifier, explainer))
            values = explain_clip(current, spectrogram, method, target).values
            maps.append(Stage(name, share, values))
    return maps


def layers_from_the_output(
    network: nn.Module, forward: Callable[[], object]
) -> list[tuple[str, nn.Module]]:
    """Return the modules that hold something learned, with their names, the last to run first.

    Those that do not run come last.

    Args:
        network: the network.
        forward: runs it.

    >>> network = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 2))
    >>> layers = layers_from_the_output(network, lambda: network(torch.zeros(1, 2)))
    >>> [name for name, _ in layers]
    ['2', '0']
    """
    order: dict[nn.Module, int] = {}
    runs = count()

    def record(module: nn.Module, inputs: object, outputs: object) -> None:
        order[module] = next(runs)

    learned = [(name, module) for name, module in network.named_modules() if _has_learned(module)]
    handles = [module.register_forward_hook(record) for _, module in learned]
    try:
        with torch.no_grad():
            forward()
    finally:
        for handle in handles:
            handle.remove()
    return sorted(learned, key=lambda layer: -order.get(layer[1], -1))


def _has_learned(module: nn.Module) -> bool:
    has_statistics = getattr(module, "running_mean", None) is not None
    return has_statistics or any(True for _ in module.parameters(recurse=False))


def _in_stages(
    layers: list[tuple[str, nn.Module]], stages: int
) -> Iterator[tuple[str, list[nn.Module], float]]:
    """Return, for each stage, the name of its last layer, its modules, and the share so far."""
    maps = min(stages, len(layers))
    ends = [round(len(layers) * number / maps) for number in range(maps + 1)]
    for start, end in pairwise(ends):
        modules = [module for _, module in layers[start:end]]
        yield layers[end - 1][0], modules, end / len(layers)


@torch.no_grad()
def re_initialise(module: nn.Module) -> None:
    """Give a module's own parameters new values, and its batch statistics those of a new module.

    It is the module's own ``reset_parameters``; parameters that it leaves as they are, as under
    ``torch.nn.utils.weight_norm``, and those of a module that has none are permuted at random. The
    global random state is used.

    >>> layer = nn.BatchNorm2d(3)
    >>> layer.running_mean += 5
    >>> re_initialise(layer)
    >>> layer.running_mean.tolist()
    [0.0, 0.0, 0.0]
    """
    reset = getattr(module, "reset_parameters", None)
    learned = [(each, each.clone()) for each in module.parameters(recurse=False)]
    if callable(reset):
        reset()
    for parameter, before in learned:
        # The order of equal values changes nothing, and would draw from the random state.
        if not parameter.equal(before) or bool((parameter == parameter.flatten()[:1]).all()):
            continue
        order = torch.randperm(parameter.numel()).to(parameter.device)
        parameter.copy_(parameter.flatten()[order].reshape(parameter.shape))
