"""A classifier with a faster copy of its network, for scoring and for gradients."""

import copy
from typing import TypeVar

import torch
from torch import Tensor

from ..util import folded
from .decider import Decider

OPTIMIZATIONS = ("folded", "none")
"""``"folded"``: batch normalisation is folded into the layers before it, see
:func:`~audiointerp.util.folding.folded`. ``"none"``: the network as it is."""
LOUDEST, QUIETEST = 0.0, -80.0
"""The range of the levels, in dB, on which the copy is compared with the network."""
CLIPS = 2
"""The clips of that comparison: a network may take one alone, but not several."""

Classified = TypeVar("Classified", bound=Decider)


def optimized(classifier: Classified, optimize: str) -> Classified:
    """Return a classifier whose network is a faster copy; itself if there is none.

    The copy has the weights that the network has now, and other modules: methods that look at
    layers need the network itself.

    Args:
        classifier: the classifier.
        optimize: a name in :data:`OPTIMIZATIONS`.

    >>> from audiointerp import Classifier, Cnn6, LogMel
    >>> classifier = Classifier(Cnn6(2, base_channels=4), LogMel(), ["cat", "dog"], duration=1.0)
    >>> fast = optimized(classifier, "folded")
    >>> db = classifier.transform(torch.randn(1, 1, 32000)).db
    >>> bool(torch.allclose(fast.probabilities(db), classifier.probabilities(db), atol=1e-5))
    True
    >>> type(fast.network.conv_block1.bn1).__name__, optimized(classifier, "none") is classifier
    ('Identity', True)
    """
    if optimize == "none":
        return classifier
    network = folded(classifier.network, _example(classifier))
    if network is None:
        return classifier
    fast = copy.copy(classifier)
    fast.network = network
    return fast


def _example(classifier: Decider) -> Tensor:
    """Return what the network takes: random levels, or the sound of noise; always the same."""
    generator = torch.Generator().manual_seed(0)
    if classifier.takes_sounds:
        noise = torch.randn(CLIPS, 1, classifier.window_length, generator=generator)
        return (0.1 * noise).to(classifier.device)
    transform = classifier.transform
    frames = transform.num_frames(classifier.window_length)
    share = torch.rand(CLIPS, 1, transform.num_bins, frames, generator=generator)
    return (QUIETEST + (LOUDEST - QUIETEST) * share).to(classifier.device)
