"""The record of one explained clip."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from ..interpretation import Attribution
from ..processing import Spectrogram


@dataclass(frozen=True, eq=False)
class ExplainedClip:
    """One clip with its attribution, its mask, the kept and removed parts as audio, and its scores.

    Attributes:
        wav, kept, removed: ``(1, 1, L)``; under a 0/1 mask, wav = kept + removed.
        spectrogram: the whole clip; ``attribution.values`` and ``mask`` have its grid,
            ``(1, 1, F, T)``.
        attribution: the attribution of the explained class, ``attribution.target``;
            ``attribution.probs`` are the probabilities of the whole clip.
        mask: the share of each bin that is kept, in [0, 1].
        mask_name: its name in ``MASKS``, or that of your function.
        scores: the scores by name (see ``METRICS``), with p, p_in, p_out and their log-odds; NaN
            where undefined.
        labels: the names of the classes.
        protocol: the definitions of the mask and the scores, a name in ``PROTOCOLS``.
        on: what was scored, ``"features"`` or ``"audio"``.

    >>> import torch
    >>> from audiointerp import Classifier, Cnn6, LogMel, interpret
    >>> network = Cnn6(2, base_channels=4)
    >>> classifier = Classifier(network, LogMel(), ["cat", "dog"], duration=1.0)
    >>> result = interpret(classifier, torch.randn(1, 1, 32000), target="dog")
    >>> isinstance(result, ExplainedClip), result.explained, result.kept.shape
    (True, 'dog', torch.Size([1, 1, 32000]))
    """

    wav: Tensor
    kept: Tensor
    removed: Tensor
    spectrogram: Spectrogram
    attribution: Attribution
    mask: Tensor
    mask_name: str
    scores: Mapping[str, float]
    labels: tuple[str, ...]
    protocol: str = "corrected"
    on: str = "features"

    @property
    def sample_rate(self) -> int:
        """The sample rate of ``wav``, ``kept`` and ``removed``, in Hz."""
        return self.spectrogram.transform.sample_rate

    @property
    def explained(self) -> str:
        """The label of the explained class."""
        return self.labels[int(self.attribution.target)]

    @property
    def against(self) -> str | None:
        """The label of the class it is explained against, or None."""
        against = self.attribution.against
        return None if against is None else self.labels[int(against)]

    @property
    def question(self) -> str:
        """What is explained: "dog", or "dog rather than rooster"."""
        if self.against is None:
            return self.explained
        return f"{self.explained} rather than {self.against}"

    @property
    def arbitrary(self) -> bool:
        """Whether the attribution is constant, e.g. in digital silence; its mask means nothing."""
        return bool((self.attribution.values == self.attribution.values.flatten()[0]).all())

    @property
    def predicted(self) -> str:
        """The label of the predicted class."""
        return self.labels[int(self.attribution.probs.argmax())]

    def __repr__(self) -> str:
        p, p_in, p_out = (self.scores[name] for name in ("p", "p_in", "p_out"))
        return (
            f"{type(self).__name__}({self.question}, p = {p:.3f}, kept {p_in:.3f}, "
            f"removed {p_out:.3f}; {self.attribution.method}, {self.mask_name})"
        )
