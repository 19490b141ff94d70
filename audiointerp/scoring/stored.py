"""The attribution of one clip that was computed before, as a method."""

from typing import Any

import torch
from torch import Tensor, nn

from ..errors import ArgumentError
from ..interpretation import Attribution, Explainer
from ..model import Classifier, clip_log_probabilities
from ..processing import Spectrogram


class Stored(Explainer):
    """The attribution of one clip, of any length, as a method.

    Args:
        network: of the classifier.
        values: of the whole clip, ``(1, 1, F, T)``.
        target: the explained class.
        name: of the method that computed it.

    Raises:
        ArgumentError: the network is no ``nn.Module``. For a clip: the attribution is that of a
            clip of another length, or another class is asked for.

    >>> network = nn.Sequential(nn.Flatten(), nn.Linear(6, 2))
    >>> Stored(network, torch.ones(1, 1, 2, 3), 1, "lime").name
    'lime'
    """

    black_box = True
    explains = "nothing"

    def __init__(self, network: nn.Module, values: Tensor, target: int, name: str) -> None:
        super().__init__(network)
        self.values = values
        self.target = target
        self.name = name  # type: ignore[misc]

    def of_clip(
        self,
        classifier: Classifier,
        spectrogram: Spectrogram,
        target: int | None = None,
        against: int | None = None,
    ) -> Attribution:
        """Return the attribution, with the probabilities of the clip.

        Args:
            classifier: the classifier.
            spectrogram: the clip.
            target: the class to explain, that of the attribution; or None.
            against: must be None, since the attribution is against no other class.

        Raises:
            ArgumentError: see the class.
        """
        if target not in (None, self.target) or against is not None:
            raise ArgumentError(
                f"{self.name}: the stored attribution explains {classifier.labels[self.target]} "
                "alone; compute another one for another label"
            )
        self._check_size(spectrogram.db)
        probs = clip_log_probabilities(classifier, spectrogram)[0].exp()
        return Attribution(
            self.values.to(spectrogram.db), torch.tensor([self.target]), probs, self.name
        )

    def _attribute(self, score: Any, db: Tensor) -> tuple[Tensor, dict[str, Any]]:
        score.settle(db)
        self._check_size(db)
        return self.values.to(db), {}

    def _check_size(self, db: Tensor) -> None:
        if self.values.shape != db.shape:
            raise ArgumentError(
                f"{self.name}: the stored attribution {tuple(self.values.shape)} does not fit this "
                f"clip {tuple(db.shape)}; was the run on clips of another length?"
            )
