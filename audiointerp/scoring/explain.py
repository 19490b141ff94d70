"""Build explainers, and explain one clip of any length with a network that takes windows."""

import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ..errors import ArgumentError, choose
from ..interpretation import (
    METHODS,
    Attribution,
    Captum,
    Explainer,
    MapsFolder,
    from_captum,
    is_captum_class,
    usable_name,
)
from ..model import (
    Classifier,
    bound_windows,
    log_probabilities_by_window,
    pool_windows,
    windows_of,
)
from ..processing import Spectrogram, Windows
from .cells import with_cell
from .pooling import explained_differences, join_attributions, window_weights
from .stored import Stored

Method = str | type[Explainer] | Explainer
"""A name in ``METHODS``, an explainer class, or an explainer; also a captum class."""


def build_explainer(
    method: Method, classifier: Classifier, background: Tensor | None = None
) -> Explainer:
    """Build an explainer of the classifier's network; an explainer is returned as it is.

    Args:
        method: a name in ``METHODS``, an explainer class, an explainer of this network, or a captum
            class, which gets silence as its baseline.
        classifier: the classifier.
        background: features ``(B, 1, F, T)`` of training clips, for methods that need them.

    Raises:
        ArgumentError: the name is unknown, the method needs a background or more arguments, or
            the explainer belongs to another network.

    >>> from audiointerp import Cnn6, LogMel
    >>> network = Cnn6(2, base_channels=4)
    >>> classifier = Classifier(network, LogMel(), ["cat", "dog"], duration=1.0)
    >>> build_explainer("gradcam", classifier).name
    'gradcam'
    """
    if isinstance(method, MapsFolder):
        return method.bound_to(classifier.network)
    if isinstance(method, Explainer):
        _check_explainer(method, classifier)
        return method
    if is_captum_class(method):
        return from_captum(classifier.network, method)
    kind = METHODS[choose("method", method, METHODS)] if isinstance(method, str) else method
    if not (isinstance(kind, type) and issubclass(kind, Explainer)):
        raise ArgumentError(
            f"a method is a name, an explainer class or an explainer, not {kind!r:.80}"
            + ("; give each by itself" if isinstance(kind, list | tuple) else "")
        )
    # First, so that nobody computes a background for a method that cannot be used.
    kind.check_network(classifier.network)
    arguments: tuple[Any, ...] = (classifier.network,)
    if kind.needs_background:
        if background is None:
            raise ArgumentError(
                f"{kind.__name__} compares a clip with a background: give background=features "
                f"(B, 1, F, T) of training clips (in a shell, --background and the folder of their "
                f"sound files)"
            )
        arguments += (background,)
    try:
        inspect.signature(kind.__init__).bind(None, *arguments)
    except TypeError as error:
        raise ArgumentError(
            f"{kind.__name__} takes more than a network ({error}); "
            f"give an object: {kind.__name__}(network, …)"
        ) from error
    return kind(*arguments)


def _check_explainer(explainer: Explainer, classifier: Classifier) -> None:
    if explainer.network is not classifier.network:
        raise ArgumentError(
            f"this {explainer.name} explains another network than the classifier's; "
            f"build it with classifier.network"
        )
    if type(explainer) is Captum and explainer.name in METHODS:
        raise ArgumentError(
            f"another method is called {explainer.name}: give Captum another name, "
            f"Captum(…, name=…)"
        )


def build_explainers(
    methods: Sequence[Method] | Mapping[str, Method],
    classifier: Classifier,
    background: Tensor | None = None,
) -> list[Explainer]:
    """Build one explainer per method; their names must differ, since results are stored by name.

    Args:
        methods: as for :func:`build_explainer`; or these by the name that they get.
        classifier: the classifier.
        background: features ``(B, 1, F, T)`` of training clips, for methods that need them.

    Raises:
        ArgumentError: there is no method, two have the same name, a name cannot name a folder,
            or :func:`build_explainer` refuses one.

    >>> from audiointerp import Cnn6, LogMel
    >>> network = Cnn6(2, base_channels=4)
    >>> classifier = Classifier(network, LogMel(), ["cat", "dog"], duration=1.0)
    >>> [explainer.name for explainer in build_explainers(["saliency", "gradcam"], classifier)]
    ['saliency', 'gradcam']
    """
    if isinstance(methods, Iterator):
        # Looked at twice, it would be empty.
        methods = list(methods)
    try:
        is_list = not isinstance(methods, str) and len(list(methods)) > 0
    except TypeError:
        is_list = False
    if not is_list:
        raise ArgumentError(f"methods: a list of at least one, e.g. ['gradcam'], not {methods!r}")
    if isinstance(methods, Mapping):
        explainers = [
            build_explainer(method, classifier, background).renamed(name)
            for name, method in methods.items()
        ]
    else:
        explainers = [build_explainer(method, classifier, background) for method in methods]
    names = [usable_name(explainer.name) for explainer in explainers]
    if len(set(names)) < len(names):
        raise ArgumentError(
            f"two methods have the same name ({', '.join(names)}); rename one, e.g. "
            f"Captum(…, name=…)"
        )
    return explainers


def check_classifier(classifier: Any) -> None:
    """Refuse what is no classifier, e.g. its network or swapped arguments.

    Raises:
        ArgumentError: it is none.

    >>> check_classifier("clip.wav")
    Traceback (most recent call last):
    audiointerp.errors.ArgumentError: the first argument is a Classifier, not a str; ...
    """
    if not isinstance(classifier, Classifier):
        raise ArgumentError(
            f"the first argument is a Classifier, not a {type(classifier).__name__}; make one of a "
            f"network by Classifier(network, transform, labels) or Classifier.from_waveform"
        )


def explain_clip(
    classifier: Classifier,
    spectrogram: Spectrogram,
    explainer: Explainer,
    target: int | None = None,
    against: int | None = None,
) -> Attribution:
    """Explain one clip of any length: one explained class, one attribution for the whole clip.

    The network sees the clip in windows. Its probabilities are the mean over the windows, and its
    attribution is that of this mean: the windows' attributions, each times its weight, the
    derivative of the clip's p with respect to what the window's attribution explains, divided by
    the largest (:func:`~audiointerp.scoring.pooling.window_weights`). So the unit is the method's
    own, at the window with the largest weight; a single window has weight 1.

    Args:
        classifier: the classifier.
        spectrogram: the clip.
        explainer: the method, built on ``classifier.network``.
        target: the class to explain; the predicted one if None.
        against: another class, to explain why it is the target rather than this one.

    Returns:
        The attribution; ``values`` is ``(1, 1, F, T)``. In ``info``, ``window_weights`` and the
        method's own tensors have one entry per window, ``(1, W)``. Those of SHAP are of the clip,
        ``(1,)``: ``difference`` is the weighted sum of f(x) - E f(b), ``additivity_gap`` how far
        the sum of the returned values misses it, and ``outside`` the share of it that lies in
        frames of padding or in frames that another window owns. Methods on a layer have ``cell``,
        the mean size of the cells of its ``grid`` in Hz and in seconds.

    Raises:
        ArgumentError: the target is also the class to explain against, or is unknown.

    >>> from audiointerp import Cnn6, LogMel, Saliency
    >>> network = Cnn6(2, base_channels=4)
    >>> classifier = Classifier(network, LogMel(), ["cat", "dog"], duration=1.0)
    >>> clip = classifier.transform(torch.randn(1, 1, 80000))
    >>> explain_clip(classifier, clip, Saliency(network), target=1).values.shape
    torch.Size([1, 1, 64, 251])
    """
    if isinstance(explainer, Stored):
        # It is of the whole clip, not of its windows.
        return explainer.of_clip(classifier, spectrogram, target, against)
    windows = windows_of(classifier, spectrogram)
    bound = bound_windows(classifier, spectrogram)
    single, logs = len(bound) == 1, None
    # For a single window the explainer predicts the class itself, in its own forward.
    if not single or (target is None and against is not None):
        logs = log_probabilities_by_window(classifier, spectrogram)
        if target is None:
            target = _predicted_class(classifier, windows, logs, against)
    attributions = [
        explainer.bound_to(network)(levels, target, against=against, output=classifier.output)
        for network, levels in bound
    ]
    weights = torch.ones(1, dtype=torch.float64)
    if logs is not None and target is not None and not single:
        weights = window_weights(
            (logs[0][:, 0], logs[1][:, 0]),
            windows.weights,
            target,
            against,
            output=classifier.output,
            explains=explainer.explains,
            differences=explained_differences(classifier, explainer, bound, attributions),
        )
    attribution = join_attributions(attributions, windows, weights)
    return with_cell(attribution, classifier.transform, windows.size)


def _predicted_class(
    classifier: Classifier, windows: Windows, logs: tuple[Tensor, Tensor], against: int | None
) -> int:
    """Return the class that the network predicts for the clip; it must not be ``against``."""
    predicted = int(pool_windows(classifier, windows, logs)[0][0].argmax())
    if predicted == against:
        raise ArgumentError(predicted_against_itself(classifier.labels[predicted]))
    return predicted


def predicted_against_itself(label: str) -> str:
    """Return what to do about a label that is predicted, and explained against itself.

    >>> predicted_against_itself("dog")[:33]
    'dog is what the network predicts,'
    """
    return (
        f"{label} is what the network predicts, and cannot be explained against itself: give a "
        f"target, or another label to explain against"
    )
