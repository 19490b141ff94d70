"""Opens the classifier that a command was given."""

from typing import TYPE_CHECKING

from ..errors import ArgumentError

if TYPE_CHECKING:
    from ..model import Classifier


def open_classifier(
    weights: str | None, model: str | None, hugging_face: str | None
) -> "Classifier":
    """Read a classifier from its weights, make it by code of the user, or read a transformer.

    Args:
        weights: a file that ``Classifier.save`` wrote, or the name of a network that comes with
            the library, e.g. ``esc10-mel``.
        model: ``"module:function"``, which makes the classifier; the weights are read into it.
        hugging_face: a folder or the name of a model of Hugging Face.

    Raises:
        ArgumentError: none is given, or a model of Hugging Face beside another; or there is no such
            function.
        ModelError: the weights cannot be read, or do not fit.

    >>> open_classifier(None, None, None)
    Traceback (most recent call last):
    audiointerp.errors.ArgumentError: give --weights FILE (written by train) or ...
    """
    from ..model import Classifier, weights_path

    if hugging_face is not None:
        if weights is not None or model is not None:
            raise ArgumentError("--hf replaces --weights and --model; give one or the other")
        return Classifier.from_transformers(hugging_face)
    if weights is not None:
        return Classifier.load(weights_path(weights), factory=model)
    if model is not None:
        return Classifier.from_factory(model)
    raise ArgumentError(
        "give --weights FILE (written by train) or a name such as esc10-mel, "
        "--model module:function or --hf FOLDER"
    )


def default_methods(classifier: "Classifier") -> list[str]:
    """Return the methods that a run uses by default: four that can explain the classifier.

    >>> from audiointerp import Classifier, Cnn6, LogMel
    >>> default_methods(Classifier(Cnn6(2, base_channels=4), LogMel(), ["cat", "dog"]))
    ['saliency', 'gradcam', 'shap', 'random']
    """
    if not classifier.takes_sounds:
        return ["saliency", "gradcam", "shap", "random"]
    if getattr(classifier.network, "has_gradients", True):
        return ["saliency", "integrated_gradients", "rise", "random"]
    return ["occlusion", "rise", "lime", "random"]
