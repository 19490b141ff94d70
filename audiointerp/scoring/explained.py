"""The record of one explained clip."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from ..interpretation import Attribution, is_constant
from ..model import Classifier
from ..processing import Spectrogram, missing_band_note
from .sounds import Sounds
from .strongest import padding_note, window_note
from .verdict import Verdict, p_text, question_of

PARTS = {"p": "clip", "p_in": "kept part", "p_out": "removed part"}
"""What each p is of."""
LITTLE_DIFFERENCE = 0.05
"""The p of a file's sound and of the verdict differ a little up to here."""


@dataclass(frozen=True, eq=False)
class ExplainedClip:
    """One clip with its attribution, its mask, the kept and removed parts as audio, and its scores.

    Attributes:
        wav, kept, removed: ``(1, 1, L)``, what the classifier takes; under a 0/1 mask, wav = kept +
            removed with the fill "silence".
        spectrogram: the whole clip; ``attribution.values`` and ``mask`` have its grid,
            ``(1, 1, F, T)``.
        attribution: the attribution of the explained class, ``attribution.target``;
            ``attribution.probs`` are the probabilities of the whole clip.
        mask: the share of each bin that is kept, in [0, 1].
        mask_name: its name in ``MASKS``, or that of your function.
        scores: the scores of what ``on`` says, by name (see ``METRICS``), with p, p_in, p_out and
            their log-odds; NaN where undefined.
        p_of_sounds: p, p_in, p_out of the sounds of ``sounds``, analysed and classified as they
            are. What the network makes of a sound can differ widely from what it makes of the
            masked features that the sound was made from.
        labels: the names of the classes.
        protocol: the definitions of the mask and the scores, a name in ``PROTOCOLS``.
        on: what was scored, ``"features"`` or ``"audio"``.
        clip: the name of the sound file, or None if the clip was not read from one.
        limits: if it is a window of that clip, its begin and end in seconds; else None.
        clip_seconds: the length of the clip that it is a window of, or None.
        file_sounds: the clip and its parts with the file's own rate, channels and level; None if
            the clip is no file, or one that the classifier takes as it is.
        fill: what the bins became that a part lacks, a name in
            :data:`~audiointerp.util.fills.FILLS`.
        verdict: does the kept part explain the decision? None for a record made without it.
        classifier: what was explained; a page asks it for p at other shares than the mask's.

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
    p_of_sounds: Mapping[str, float]
    labels: tuple[str, ...]
    protocol: str = "corrected"
    on: str = "features"
    clip: str | None = None
    limits: tuple[float, float] | None = None
    clip_seconds: float | None = None
    file_sounds: Sounds | None = None
    fill: str = "silence"
    verdict: Verdict | None = None
    classifier: Classifier | None = None

    @property
    def sounds(self) -> Sounds:
        """The clip and its parts to listen to: those of the file, or else what was classified."""
        return self.file_sounds or Sounds(self.wav, self.kept, self.removed, self.sample_rate)

    @property
    def heard(self) -> Mapping[str, float]:
        """What a listener's sounds are to the network: another name of ``p_of_sounds``."""
        return self.p_of_sounds

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
        return question_of(self.attribution, self.labels)

    @property
    def arbitrary(self) -> bool:
        """Whether the attribution is constant up to rounding; its mask then means nothing."""
        return is_constant(self.attribution.values)

    @property
    def predicted(self) -> str:
        """The label of the predicted class."""
        return self.labels[int(self.attribution.probs.argmax())]

    def window_note(self, option: str = 'windows="all"') -> str:
        """Return a sentence on which window of a longer clip is explained, or on padding.

        It is empty for a clip of about the classifier's duration.

        Args:
            option: how to explain the whole clip.

        >>> import torch
        >>> from audiointerp import Classifier, Cnn6, LogMel, interpret
        >>> network = Cnn6(2, base_channels=4)
        >>> classifier = Classifier(network, LogMel(), ["cat", "dog"], duration=1.0)
        >>> interpret(classifier, torch.randn(64000), compared=0).window_note()[:31]
        'Explained is one window of 1 s,'
        """
        if self.limits is None and self.classifier is not None:
            return padding_note(self.spectrogram.length / self.sample_rate, self.classifier)
        return window_note(self.limits, self.clip_seconds, self.explained, option)

    def rate_note(self) -> str:
        """Return a sentence on what the file lacks for its low sample rate, or nothing.

        >>> import torch
        >>> from audiointerp import Classifier, Cnn6, LogMel, interpret
        >>> network = Cnn6(2, base_channels=4)
        >>> classifier = Classifier(network, LogMel(), ["cat", "dog"], duration=1.0)
        >>> interpret(classifier, (torch.randn(8000) / 9, 8000), compared=0).rate_note()[:48]
        'The file has 8000 Hz: nothing above 4000 Hz is i'
        """
        if self.file_sounds is None:
            return ""
        return missing_band_note(self.file_sounds.sample_rate, self.spectrogram.transform)

    def p_text(self, name: str) -> str:
        """Return a p of the scores and that of the sound, each labelled; once if they are one.

        Args:
            name: ``"p"``, ``"p_in"`` or ``"p_out"``.

        >>> import torch
        >>> from audiointerp import Classifier, Cnn6, LogMel, interpret
        >>> network = Cnn6(2, base_channels=4)
        >>> classifier = Classifier(network, LogMel(), ["cat", "dog"], duration=1.0)
        >>> result = interpret(classifier, torch.randn(1, 1, 32000), target="dog")
        >>> result.p_text("p_in").replace(f"{result.heard['p_in']:.3f}", "…").split(", ")[1]
        'p of the sound …'
        """
        fill = "" if self.fill == "silence" else f" (fill {self.fill})"
        of_scores, of_sound = f"{self.scores[name]:.3f}", f"{self.heard[name]:.3f}"
        if self.file_sounds is not None:
            return f"p on {self.on}{fill} {of_scores}, of the file's sound {of_sound}"
        # Of a mono clip at the classifier's rate, what is scored on audio is what is heard.
        if self.on == "audio" and of_scores == of_sound:
            return f"p of the sound{fill} {of_sound}"
        return f"p on {self.on}{fill} {of_scores}, p of the sound {of_sound}"

    def file_note(self) -> str:
        """Return a sentence on why the verdict's p are not those of the file's sounds, or nothing.

        >>> import torch
        >>> from audiointerp import Classifier, Cnn6, LogMel, interpret
        >>> network = Cnn6(2, base_channels=4)
        >>> classifier = Classifier(network, LogMel(), ["cat", "dog"], duration=1.0)
        >>> interpret(classifier, (torch.randn(44100) / 9, 44100), compared=2).file_note()[:48]
        "The verdict's p are of parts made at the classif"
        """
        if self.file_sounds is None or self.verdict is None:
            return ""
        rate = self.file_sounds.sample_rate
        of_verdict = (self.verdict.p, self.verdict.p_kept, self.verdict.p_removed)
        distances = {
            part: abs(self.heard[name] - p)
            for (name, part), p in zip(PARTS.items(), of_verdict, strict=True)
        }
        part = max(distances, key=distances.__getitem__)
        differ = "can differ a little"
        if distances[part] > LITTLE_DIFFERENCE:
            differ = f"differ by up to {p_text(distances[part])} (that of the {part})"
        return (
            f"The verdict's p are of parts made at the classifier's {self.sample_rate} Hz, as for "
            f"the random masks; those of the file's sound, of parts made at its own {rate} Hz and "
            f"then converted, {differ}."
        )

    def __repr__(self) -> str:
        values = (p_text(self.heard[name]) for name in ("p", "p_in", "p_out"))
        p, p_in, p_out = values
        verdict = f"{self.verdict} " if self.verdict else ""
        note = self.window_note()
        return (
            f"{type(self).__name__}({self.question}: {verdict}"
            f"p of the sounds: original {p}, kept {p_in}, removed {p_out}; "
            f"{self.attribution.method}, {self.mask_name}{note and f'. {note}'})"
        )
