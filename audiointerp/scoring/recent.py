"""What was read and computed for the last few clips, so that nothing is done twice.

The null ``"other"`` compares a clip with the attribution of the next one, which is needed again as
that clip's own. The results do not depend on what is kept here.
"""

from dataclasses import dataclass
from itertools import chain
from typing import Generic, NamedTuple, TypeVar

from torch import nn

from ..dataset import ClipDataset, LoadedClip, load_clip, recording_of
from ..interpretation import Attribution, Explainer
from ..model import Classifier, optimized
from ..processing import Spectrogram
from ..util import encodable
from .imported import explain_named_clip

KEPT = 3
"""The clips of which something is kept: the first, the last and the next one."""
T = TypeVar("T")


class Recent(Generic[T]):
    """The values of the first key and of those that were used last.

    The first is kept since the last clip of a data set is compared with it.

    >>> kept = Recent[int]()
    >>> for number in range(5):
    ...     kept.put(str(number), number)
    >>> [kept.get(str(number)) for number in range(5)]
    [0, None, None, 3, 4]
    """

    def __init__(self) -> None:
        self._values: dict[object, T] = {}

    def get(self, key: object) -> T | None:
        """Return the value of a key, or None if it is not kept."""
        value = self._values.get(key)
        if value is not None and key != next(iter(self._values)):
            self._values[key] = self._values.pop(key)
        return value

    def put(self, key: object, value: T) -> None:
        """Keep a value; the one that was not used for the longest time may go."""
        self._values[key] = value
        if len(self._values) > KEPT:
            oldest = list(self._values)[1]
            del self._values[oldest]


class RecentClips:
    """The clips of a data set, each read once while it is among the recent ones.

    Args:
        dataset: the clips.

    >>> from audiointerp import Synthetic
    >>> clips = RecentClips(Synthetic((5,), duration=3.0))
    >>> clips.load(0).name == clips.load(0).name, clips.other_index(79)
    (True, 0)
    """

    def __init__(self, dataset: ClipDataset) -> None:
        self.dataset = dataset
        self._loaded = Recent[LoadedClip]()
        self._last_other: _Other | None = None

    def load(self, index: int) -> LoadedClip:
        """Return a clip; see :func:`~audiointerp.dataset.load_clip`."""
        loaded = self._loaded.get(index)
        if loaded is None:
            loaded = load_clip(self.dataset, index)
            self._loaded.put(index, loaded)
        return loaded

    def other_index(self, index: int) -> int | None:
        """Return the number of the next clip, cyclic, of another recording; None if none has.

        Only the recordings up to that clip are asked for, so that it takes no memory for a data set
        of millions of clips.
        """
        recording = _recording(self.dataset, index)
        last = self._last_other
        # The clips up to the other one are of the same recording, and have the same other clip.
        # Without this, each clip of a long recording would be compared with all the rest of it.
        if last and last.recording == recording and last.clip <= index and last.holds_at(index):
            number = last.number
        else:
            following = chain(range(index + 1, len(self.dataset)), range(index))
            others = (at for at in following if _recording(self.dataset, at) != recording)
            number = next(others, None)
        self._last_other = _Other(index, recording, number)
        return number

    def other(self, index: int) -> LoadedClip | None:
        """Return that clip; None if there is none, or if it cannot be read."""
        number = self.other_index(index)
        if number is None:
            return None
        loaded = self.load(number)
        return None if loaded.wav is None else loaded


class _Other(NamedTuple):
    """A clip, its recording, and the number of the next clip of another recording."""

    clip: int
    recording: str
    number: int | None

    def holds_at(self, index: int) -> bool:
        """Whether a later clip of the recording has the same next one: it is not passed yet."""
        return self.number is None or not self.clip < self.number <= index


def _recording(dataset: ClipDataset, index: int) -> str:
    # A user's data set may raise anything; the clip's own row then says why.
    try:
        return encodable(recording_of(dataset, index))
    except Exception:
        return encodable(dataset.clip_id(index))


@dataclass(frozen=True, eq=False)
class AnalysedClip:
    """A clip that was read, and its spectrogram.

    >>> import torch
    >>> from audiointerp import LogMel
    >>> wav = torch.rand(1, 32000)
    >>> AnalysedClip(LoadedClip("a", "a", wav, "dog", "0"), LogMel()(wav[None])).key
    ('a', '0')
    """

    loaded: LoadedClip
    spectrogram: Spectrogram

    @property
    def key(self) -> tuple[str, str]:
        """What tells the clip from others: its name, and the hash of its label and samples."""
        return self.loaded.name, self.loaded.sha256


class RecentAttributions:
    """The attributions of recent clips, each computed once, and fast copies of classifiers.

    >>> import torch
    >>> from audiointerp import Cnn6, LogMel, Saliency
    >>> network = Cnn6(2, base_channels=4)
    >>> classifier = Classifier(network, LogMel(), ["cat", "dog"], duration=1.0)
    >>> wav = torch.rand(1, 32000)
    >>> clip = AnalysedClip(LoadedClip("a", "a", wav, "dog", "0"), LogMel()(wav[None]))
    >>> attributions, method = RecentAttributions(), Saliency(network)
    >>> first = attributions.explain(classifier, clip, method)
    >>> attributions.explain(classifier, clip, method) is first
    True
    """

    def __init__(self) -> None:
        self._by_method = Recent[dict[tuple[Explainer, nn.Module, int | None], Attribution]]()
        self._copies: list[tuple[Classifier, str, Classifier]] = []

    def fast(self, classifier: Classifier, optimize: str) -> Classifier:
        """Return the classifier with a faster copy of its network, made at the first call."""
        for copied, how, fast in self._copies:
            if copied is classifier and how == optimize:
                return fast
        fast = optimized(classifier, optimize)
        self._copies.append((classifier, optimize, fast))
        return fast

    def explain(
        self,
        classifier: Classifier,
        clip: AnalysedClip,
        explainer: Explainer,
        target: int | None = None,
    ) -> Attribution:
        """Return the attribution of a class, by default the predicted one."""
        by_method = self._by_method.get(clip.key)
        if by_method is None:
            by_method = {}
            self._by_method.put(clip.key, by_method)
        key = (explainer, classifier.network, target)
        if key not in by_method:
            by_method[key] = explain_named_clip(
                classifier, clip.loaded.name, clip.spectrogram, explainer, target
            )
        return by_method[key]
