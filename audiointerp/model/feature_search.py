"""Finds where a module of sounds has the features that the transform of the grid computes."""

from contextlib import ExitStack
from functools import partial

import torch
from torch import Tensor

from ..errors import ModelError
from ..processing import Transform
from .equal_features import LARGEST_DIFFERENCE, equal_fit, linear_fits, probes
from .feature_place import ADVICE, SIDES, FeaturePlace, features_at, watched, without_channel
from .sound_model import SoundModel

GRADIENTS = ("sound", "features")
"""What the gradients of a model of sounds go through."""
OTHER_PATH = 0.01
"""What the outputs may still depend on the sound beside its features, as a share."""


def feature_place(model: SoundModel, transform: Transform, length: int) -> FeaturePlace:
    """Find where a model has the features that a transform computes.

    It is run on sounds and silence, in batches. Its features must be the transform's levels but for
    a factor, a constant and the order of axes, and its outputs must depend on the sound through
    these features alone.

    Args:
        model: in evaluation mode.
        transform: the transform.
        length: of the sounds that the model takes, in samples.

    Raises:
        ModelError: the model has no such features; or its outputs depend on the sound by another
            path, too; or it cannot take the sounds.

    >>> from torch import nn
    >>> from audiointerp.processing import LogMel
    >>> class FrontEnd(nn.Module):
    ...     def forward(self, wav):
    ...         return LogMel()(wav[:, None]).db / 10
    >>> layers = FrontEnd(), nn.AdaptiveAvgPool2d((4, 1)), nn.Flatten(), nn.Linear(4, 2)
    >>> place = feature_place(SoundModel(nn.Sequential(*layers), 32000), LogMel(), 32000)
    >>> str(place), round(place.fit.slope, 4)
    ('the input of 1', 0.1)
    """
    device = next((tensor.device for tensor in model.parameters()), torch.device("cpu"))
    sounds = probes(length).to(device)
    with torch.no_grad():
        # Finds the shape of the sounds that it takes.
        model(sounds[:1])
        candidates = _candidates(model, transform, sounds[: min(2, model.max_batch or 2)])
    reasons: list[ModelError] = []
    for part, side in candidates:
        try:
            return _checked_place(model, transform, part, side, sounds)
        except ModelError as error:
            reasons.append(error)
    if reasons:
        raise reasons[0]
    frames = transform.num_frames(length)
    raise ModelError(
        f"no part of {model.model_name} makes features of the shape of "
        f"{type(transform).__name__}'s levels, {transform.num_bins} bins and {frames} frames of "
        f"{length} samples; give grid= what its front end computes, or gradients='sound'"
    )


def _checked_place(
    model: SoundModel, transform: Transform, part: str, side: str, sounds: Tensor
) -> FeaturePlace:
    """Return a place that passes all checks.

    Raises:
        ModelError: it does not.
    """

    def unequal(reason: str) -> str:
        return f"{side} of {part}: {reason}, or {ADVICE}"

    features_of = partial(features_at, model, part, side)
    place = FeaturePlace(part, side, equal_fit(transform, features_of, sounds, sounds, unequal))
    _check_outputs(model, transform, place, sounds)
    return place


def _candidates(model: SoundModel, transform: Transform, sounds: Tensor) -> list[tuple[str, str]]:
    """Return the parts and sides whose features are the transform's, those behind others first.

    If there are none, the one whose features are the most alike, if any has their shape.
    """
    db = transform(sounds).db
    levels = transform.scaled(db)
    largest = LARGEST_DIFFERENCE * float(levels.std() / db.std())
    differences: dict[tuple[str, str], float] = {}

    def visit(part: str, side: str, tensor: Tensor) -> None:
        fits = linear_fits(without_channel(tensor), levels)
        if fits:
            differences[part, side] = fits[0][0]

    with ExitStack() as watches:
        for name, part in model.module.named_modules():
            # Hooks are not called inside of TorchScript.
            if not name or isinstance(part, torch.jit.ScriptModule):
                continue
            for side in SIDES:
                watches.enter_context(watched(part, side, partial(visit, name, side)))
        model(sounds)
    # The last one is behind whatever the owner computes without gradients.
    equal = [place for place, difference in differences.items() if difference <= largest]
    most_alike = sorted(differences, key=lambda place: differences[place])[:1]
    return equal[::-1] or most_alike


def _check_outputs(
    model: SoundModel, transform: Transform, place: FeaturePlace, sounds: Tensor
) -> None:
    """Check that a sound with another one's features has the outputs of that other one.

    Raises:
        ModelError: it has not, or they have no gradient by the features.
    """
    sounds, others = sounds[:2], sounds[-2:]
    levels = transform.scaled(transform(others).db).requires_grad_()
    with torch.no_grad():
        outputs, of_others = model(sounds), model(others)
    with torch.enable_grad():
        exchanged = place.outputs(model, sounds, levels)
        has_gradient = _has_gradient(exchanged, levels)
    spread = float((outputs - of_others).abs().max())
    difference = float((exchanged.detach() - of_others).abs().max())
    if not difference <= OTHER_PATH * spread + 1e-6:
        raise ModelError(
            f"the outputs of {model.model_name} depend on the sound not only by {place}: with "
            f"another sound's features there they differ from those of that sound by "
            f"{difference:.3g}; {ADVICE}"
        )
    if not has_gradient:
        raise ModelError(
            f"the outputs of {model.model_name} have no gradient by {place}; remove torch.no_grad "
            f"and detach from what follows it, or {ADVICE}"
        )


def _has_gradient(outputs: Tensor, levels: Tensor) -> bool:
    if not outputs.requires_grad:
        return False
    try:
        (gradient,) = torch.autograd.grad(outputs.sum(), levels, allow_unused=True)
    # An operation of the owner's may have no derivative.
    except RuntimeError:
        return False
    return gradient is not None
