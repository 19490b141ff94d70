"""The record of an explained event: the map, the box, what is heard in it, and its sound."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor

from ..processing import Spectrogram, Transform
from ..util import table_html
from .boxes import Box
from .event import Event

if TYPE_CHECKING:
    from ..interpretation import Attribution


@dataclass(frozen=True, eq=False)
class ExplainedEvent:
    """Why a classifier hears an event: where in time and frequency, and whether that is enough.

    All p are those of sounds, see ``sounds``.

    Attributes:
        event: the event that was explained.
        box: the event again, with the limits of the box in seconds and Hz.
        window: begin and end, in seconds, of the window that was explained: the one of the event's
            in which p is the largest.
        p: of the window.
        p_in, p_out: of the box alone, and of the window without it.
        least: p at which the label counts as heard.
        rank: the place of the box among boxes of equal size elsewhere in the window, by p_in -
            p_out; 1 is the best. None if there is no other place.
        others: how many boxes elsewhere it was compared with.
        attribution: the map of the window.
        bins_and_frames: the box in the map.
        wav: the window ``(1, 1, L)``, normalised as the classifier takes it.
        transform: of the classifier.
        fill: what removed bins become.

    Example: see :func:`~audiointerp.events.explaining.explain_events`.
    """

    event: Event
    box: Event
    window: tuple[float, float]
    p: float
    p_in: float
    p_out: float
    least: float
    rank: int | None
    others: int
    attribution: "Attribution"
    bins_and_frames: Box
    wav: Tensor
    transform: Transform
    fill: str

    @property
    def loses(self) -> bool:
        """Whether the window without the box is no longer heard as the label.

        The box alone always is. If this is False, no box was found: ``box`` is the whole window.
        """
        return self.p_out < self.least

    @property
    def spectrogram(self) -> Spectrogram:
        """The window, as the transform gives it."""
        return self.transform(self.wav)

    @property
    def sounds(self) -> dict[str, Tensor]:
        """The window, the box and the rest without it, ``(1, 1, L)`` each, that p are of."""
        spectrogram = self.spectrogram
        mask = self.bins_and_frames.mask(spectrogram.db)
        return {
            "window": self.wav,
            "box": spectrogram.masked(mask, fill=self.fill).to_wav(),
            "rest": spectrogram.masked(1 - mask, fill=self.fill).to_wav(),
        }

    @property
    def peak(self) -> tuple[float, float]:
        """The second in the recording and the Hz at which the map is largest."""
        values = self.attribution.values[0, 0]
        row, frame = divmod(int(values.argmax()), values.shape[1])
        middle = 0 if self.transform.center else self.transform.n_fft / 2
        samples = frame * self.transform.hop_length + middle
        begin = self.window[0] + samples / self.transform.sample_rate
        return begin, float(self.transform.frequencies[row])

    @property
    def verdict(self) -> str:
        """Say in a sentence what was found."""
        if not self.loses:
            return "no box: what lies in the background is heard as the label as well"
        text = "the box is enough, and without it the label is lost"
        if self.rank is None:
            return f"{text}; there is no other place of its size"
        return f"{text}; rank {self.rank} among {self.others + 1} boxes of its size"

    def __repr__(self) -> str:
        if not self.loses:
            p = f"p {self.p:.3f}, background alone {self.p_out:.3f}"
            return f"ExplainedEvent({self.event.label}, no box; {p})"
        p = f"p {self.p:.3f}, box {self.p_in:.3f}, rest {self.p_out:.3f}"
        return f"ExplainedEvent({self.box.label}, {self._limits}; {p})"

    def _repr_html_(self) -> str:
        box = {
            "box": self._limits,
            "p of the box, of the rest": f"{self.p_in:.3f}, {self.p_out:.3f} (fill {self.fill})",
        }
        no_box = {"p of the background": f"{self.p_out:.3f} (fill {self.fill})"}
        rows = {
            "event": f"{self.event.start:.2f} to {self.event.end:.2f} s",
            "window": f"{self.window[0]:.2f} to {self.window[1]:.2f} s, p {self.p:.3f}",
            **(box if self.loses else no_box),
            "so": self.verdict,
        }
        return table_html(f"Why {self.event.label}?", rows)

    @property
    def _limits(self) -> str:
        box = self.box
        return f"{box.start:.2f} to {box.end:.2f} s, {box.low:.0f} to {box.high:.0f} Hz"
