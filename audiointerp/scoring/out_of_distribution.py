"""How far the parts of a clip lie from the training clips, in the network's own embedding.

A network's answer to a part that resembles no clip says little about the clip. The distance of a
part is the mean Euclidean distance of its embedding to those of the 5 nearest training clips, and
its ratio that distance over the median of clean clips that the network was not trained on: 1 is as
far as a clean clip.
"""

import hashlib
import warnings
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..dataset import ClipDataset
from ..errors import ArgumentError
from ..model import Classifier, clip_log_probabilities, windows_of
from ..util import encodable
from .data import check_fits
from .embeddings import embeddings_of, has_embedding, pooled
from .explain import check_classifier

NEAREST = 5
"""The training clips whose mean distance counts."""


@dataclass(frozen=True, eq=False)
class OutOfDistribution:
    """The embeddings of training clips, and how far clean clips are from them.

    Attributes:
        training: ``(B, D)`` float64, B at least 5.
        clean_distance: the median distance of clean clips that are not among them.
        clips_sha256: of the names of all these clips and the embeddings of the training clips.
        network_sha256: of the weights that made the embeddings; empty if it is not known.
        clips: the names of all these clips.

    >>> reference = OutOfDistribution(torch.zeros(5, 2), clean_distance=5.0)
    >>> reference.ratios(torch.tensor([[3.0, 4.0]]))
    tensor([1.], dtype=torch.float64)
    """

    training: Tensor
    clean_distance: float
    clips_sha256: str = ""
    network_sha256: str = ""
    clips: frozenset[str] = frozenset()

    def check(self, classifier: Classifier, dataset: ClipDataset | None = None) -> None:
        """Refuse a classifier whose network did not make these embeddings.

        Warns of clips of the data set that is scored, if they are among those of the reference.

        Raises:
            ArgumentError: its weights are others.

        >>> from audiointerp import Cnn6, LogMel
        >>> classifier = Classifier(Cnn6(2, base_channels=4), LogMel(), ["cat", "dog"])
        >>> OutOfDistribution(torch.zeros(5, 32), 1.0, "", "0123").check(classifier)
        Traceback (most recent call last):
        audiointerp.errors.ArgumentError: the reference is of another network; ...
        """
        if self.network_sha256 not in ("", _weights_sha256(classifier)):
            raise ArgumentError(
                "the reference is of another network; make it by ood_reference(classifier, …)"
            )
        shared = [] if dataset is None else sorted(self.clips.intersection(_names(dataset)))
        if shared:
            warnings.warn(
                f"{len(shared)} of the scored clips ({shared[0]} …) are among those of the "
                "reference, so their ood_in and ood_out are too small; give a reference of others",
                stacklevel=3,
            )

    def distances(self, embeddings: Tensor) -> Tensor:
        """Return the distance of each embedding ``(K, D)`` to the training clips, ``(K,)``.

        >>> corners = torch.tensor([[3.0, 0.0]] * 4 + [[0.0, 4.0]])
        >>> OutOfDistribution(corners, 1.0).distances(torch.zeros(1, 2)).tolist()
        [3.2]
        """
        # Distances by a matrix product are inexact.
        between = torch.cdist(
            embeddings.double(),
            self.training.double(),
            compute_mode="donot_use_mm_for_euclid_dist",
        )
        return between.topk(NEAREST, largest=False).values.mean(1)

    def ratios(self, embeddings: Tensor) -> Tensor:
        """Return the distances over that of clean clips, ``(K,)``.

        NaN where an embedding is not finite, and where clean clips have distance 0.
        """
        distances = self.distances(embeddings)
        return distances / (self.clean_distance or torch.nan)


def ood_reference(
    classifier: Classifier, training: ClipDataset, clean: ClipDataset
) -> OutOfDistribution | None:
    """Compute what the parts of clips are compared with.

    Args:
        classifier: the classifier.
        training: the clips that it was trained on, at least 5.
        clean: clips that it was not trained on, e.g. those for validation.

    Returns:
        None if the network has no linear layer, or does not call its last one once for each clip.

    Raises:
        ArgumentError: there are too few clips, a clip is among both, or the data sets do not fit
            the classifier.

    >>> from audiointerp import Cnn6, EvenSubset, LogMel, Synthetic
    >>> train, valid = (EvenSubset(Synthetic((fold,), duration=3.0), 5) for fold in (1, 4))
    >>> classifier = Classifier(Cnn6(10, base_channels=4), LogMel(), train.labels, duration=3.0)
    >>> ood_reference(classifier, train, valid).training.shape
    torch.Size([5, 32])
    """
    check_classifier(classifier)
    for dataset in (training, clean):
        _check_dataset(dataset, classifier)
    if not has_embedding(classifier.network):
        return None
    names = [_names(dataset) for dataset in (training, clean)]
    if len(names[0]) < NEAREST or not names[1]:
        raise ArgumentError(
            f"reference: {len(names[0])} training clips and {len(names[1])} clean ones; give at "
            f"least {NEAREST} and 1"
        )
    if shared := sorted(set(names[0]) & set(names[1])):
        raise ArgumentError(
            f"reference: {shared[0]} is both a training clip and a clean one; give clean clips "
            "that the network was not trained on"
        )
    of_training, of_clean = (_embeddings(classifier, dataset) for dataset in (training, clean))
    if of_training is None or of_clean is None:
        return None
    digest = hashlib.sha256("\n".join([*names[0], "", *names[1]]).encode())
    digest.update(of_training.cpu().numpy().tobytes())
    median = float(OutOfDistribution(of_training, 1.0).distances(of_clean).quantile(0.5))
    return OutOfDistribution(
        of_training,
        median,
        digest.hexdigest(),
        _weights_sha256(classifier),
        frozenset(names[0] + names[1]),
    )


def _check_dataset(dataset: Any, classifier: Classifier) -> None:
    if not hasattr(dataset, "clip_id"):
        raise ArgumentError(
            f"reference: a {type(dataset).__name__} is no data set whose clips have names; give "
            "e.g. as_dataset(folder, classifier.sample_rate, labels=classifier.labels)"
        )
    # One of the user's own may say less of itself.
    if hasattr(dataset, "sample_rate") and hasattr(dataset, "labels"):
        check_fits(classifier, dataset)


def _weights_sha256(classifier: Classifier) -> str:
    digest = hashlib.sha256()
    for tensor in classifier.network.parameters():
        digest.update(tensor.detach().cpu().float().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _names(dataset: ClipDataset) -> list[str]:
    return [encodable(dataset.clip_id(index)) for index in range(len(dataset))]


def _embeddings(classifier: Classifier, dataset: ClipDataset) -> Tensor | None:
    """Return the embedding of each clip, ``(N, D)``; None if a clip has none."""
    rows = []
    for index in range(len(dataset)):
        clip = classifier.transform(dataset[index][0][None].to(classifier.device))
        with embeddings_of(classifier.network) as embeddings:
            clip_log_probabilities(classifier, clip)
        embedding = pooled(embeddings, windows_of(classifier, clip).weights, parts=1)
        if embedding is None:
            return None
        rows.append(embedding)
    return torch.cat(rows)
