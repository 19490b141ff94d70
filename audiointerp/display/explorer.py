"""Explore clips with a classifier behind the page: what a person asks, and what is answered.

The page sends messages ``{"kind": …, "id": …}``; :class:`Explorer` answers each of them with
``{"kind": "answer", "id": …}`` or ``{"kind": "error", "id": …, "text": …}``. Methods are computed
in a thread, so that a box is answered meanwhile.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor

from ..errors import ArgumentError, AudioInterpError, choose
from ..model import Classifier
from ..scoring import check_classifier
from .explore_clips import Source, recorded, sources_of, uploaded
from .explore_count import Count, Quiz
from .explore_jobs import Job, Jobs
from .explore_methods import first_method, usable_methods
from .explore_pins import Pin, pinned_page
from .explored_clip import UNKNOWN, ExploredClip, drawn_box
from .method_titles import METHOD_TITLES

Event = Mapping[str, Any]
"""What is new for the page: ``{"kind": …}``; or ``"state"``, which it reads by itself."""
STATE: Event = {"kind": "state"}


class Explorer:
    """The answers to a page on which a person explores clips; ``audiointerp.explore`` shows it.

    Args:
        classifier, clips, methods, background: see :func:`~audiointerp.display.explore`.

    Attributes:
        clip: what is explored at present, with its ``results`` by method; None at first.
        quiz, guesses: their counts of right answers.
        pins: what was pinned.
        on_event: is called with each :data:`Event`, from either thread.

    >>> import torch, audiointerp as ai
    >>> classifier = ai.Classifier(ai.Cnn6(2, base_channels=2), ai.LogMel(), ["dog", "rain"], 1.0)
    >>> explorer = Explorer(classifier, [torch.randn(32000)], ["saliency"])
    >>> explorer.receive({"kind": "open", "number": 0, "id": 1})
    {'kind': 'answer', 'id': 1}
    >>> explorer.jobs.by_name["saliency"].wait(60.0), list(explorer.clip.results)
    (True, ['saliency'])
    """

    def __init__(
        self,
        classifier: Classifier,
        clips: Any,
        methods: Sequence[str] | None = None,
        background: Tensor | None = None,
    ) -> None:
        check_classifier(classifier)
        self.classifier, self.background = classifier, background
        self.methods = usable_methods(classifier, methods, background)
        self.sources = sources_of(clips, classifier)
        self.clip: ExploredClip | None = None
        self.number: int | None = None
        self.guess: dict[str, Any] | None = None
        self.guesses, self.quiz = Count(), Quiz()
        self.pins: list[Pin] = []
        self.on_event: Callable[[Event], Any] = lambda event: None
        self.jobs = Jobs(lambda: self.on_event(STATE))
        self._named: set[int] = set()
        self._copy: Classifier | None = None

    def receive(self, message: Any, buffers: Sequence[Any] = ()) -> dict[str, Any]:
        """Return the answer to a message of the page; a fault is an answer too.

        >>> import audiointerp as ai
        >>> classifier = ai.Classifier(ai.Cnn6(2, base_channels=2), ai.LogMel(), ["dog", "rain"])
        >>> Explorer(classifier, ["a.wav"]).receive({"kind": "pin", "id": 3})["text"]
        'explain the clip first: wait until a method is done'
        """
        number = message.get("id") if isinstance(message, Mapping) else None
        try:
            answer = self._answer_to(message, [bytes(each) for each in buffers])
        except AudioInterpError as error:
            return {"kind": "error", "id": number, "text": str(error)}
        except Exception as error:
            # The page has to say it: nobody looks into the kernel's log.
            return {"kind": "error", "id": number, "text": f"{type(error).__name__}: {error}"}
        return {"kind": "answer", "id": number, **answer}

    def _answer_to(self, message: Any, buffers: Sequence[bytes]) -> Event:
        if not isinstance(message, Mapping):
            raise ArgumentError(f"a message is a dict, not a {type(message).__name__}")
        asked = {key: value for key, value in message.items() if key not in ("kind", "id")}
        return self._answer(message.get("kind"), asked, buffers)

    def _answer(self, kind: Any, asked: Mapping[str, Any], buffers: Sequence[bytes]) -> Event:
        def sent() -> bytes:
            if len(buffers) != 1:
                raise ArgumentError(f"one sound at a time, not {len(buffers)}")
            return buffers[0]

        actions: dict[str, Callable[..., Event | None]] = {
            "open": self._open,
            "upload": lambda name: self._begin(uploaded(name, sent(), self.classifier)),
            "record": lambda rate: self._begin(recorded(sent(), rate, self.classifier)),
            "explain": self._explain,
            "cancel": lambda method: self.jobs.cancel(choose("method", method, self.methods)),
            "ask": self._ask,
            "guess": self._guess,
            "box": self._box,
            "quiz": self._quiz,
            "answer": self._quiz_answer,
            "pin": self._pin,
            "export": lambda: {"html": self.page()},
        }
        return actions[choose("message", kind, actions)](**asked) or {}

    def _open(self, number: Any) -> None:
        if type(number) is not int or not 0 <= number < len(self.sources):
            raise ArgumentError(f"clip {number!r:.80} of {len(self.sources)}")
        self._begin(self.sources[number], number)

    def _begin(self, source: Source, number: int | None = None) -> None:
        self.number, self.guess = number, None
        self._explore(ExploredClip(source), [first_method(self.methods)])

    def _explore(self, clip: ExploredClip, methods: Sequence[str]) -> None:
        self.jobs.clear()
        self.quiz.drop()
        self.clip = clip
        for method in methods:
            self._explain(method)

    def _explain(self, method: Any) -> None:
        name, clip = choose("method", method, self.methods), self.clip
        if clip is None:
            raise ArgumentError("choose a clip first")
        if name not in clip.results:
            self._submit(clip, name, lambda job: clip.explain(job, self._copied(), self.background))

    def _submit(self, clip: ExploredClip, name: str, work: Callable[[Job], Event]) -> None:
        """Let the thread of the jobs do something, and tell the page if it is still wanted."""

        def told(job: Job) -> None:
            event = work(job)
            if self.clip is clip and not job.is_cancelled:
                self.on_event(event)

        self.jobs.submit(name, told)

    def _copied(self) -> Classifier:
        """Return a copy to explain: a method's hooks must not see the parts of a box."""
        if self._copy is None:
            self._copy = copy.deepcopy(self.classifier)
        return self._copy

    def _opened(self) -> ExploredClip:
        if self.clip is None or not self.clip.results:
            raise ArgumentError(UNKNOWN)
        return self.clip

    def _ask(self, target: str | None, against: str | None) -> None:
        clip = self._opened()
        for label in (target, against):
            if label is not None:
                choose("label", label, self.classifier.labels)
        explained = target or clip.first.predicted
        if against == explained:
            raise ArgumentError(f"why {explained} rather than {against}: choose two classes")
        target = explained if against is not None else target
        self._explore(ExploredClip(clip.source, target, against), list(clip.results))

    def _guess(self, label: Any) -> Event:
        clip = self._opened()
        if self.guess is not None:
            raise ArgumentError("this clip was guessed already: choose another one")
        predicted = clip.first.predicted
        if label is not None:
            choose("label", label, self.classifier.labels)
            self.guesses = self.guesses.with_answer(label == predicted)
        if self.number is not None:
            self._named.add(self.number)
        p = float(clip.first.attribution.probs.max())
        truth = clip.source.label()
        self.guess = {"label": label, "predicted": predicted, "p": p, "truth": truth}
        self.on_event(STATE)
        return self.guess

    def _box(self, bins: Any, frames: Any, is_kept: Any, method: Any) -> Event:
        clip = self._opened()
        mask, place = drawn_box(clip, bins, frames, is_kept)
        entry = clip.box(self.classifier, mask, place, method)
        drawn = (mask, place, method)
        self._submit(clip, "box", lambda job: clip.compare_box(job, self._copied(), *drawn))
        return {"entry": entry, "method": method}

    def _quiz(self) -> Event:
        if self.guess is None or not self._opened().data["random"]["p"]:
            raise ArgumentError("the quiz needs a clip that was guessed, and random masks")
        return {"part": self.quiz.ask()}

    def _quiz_answer(self, part: Any) -> Event:
        played = self.quiz.answer(part)
        self.on_event(STATE)
        return {"isRight": played == part, "part": played}

    def _pin(self, **shown: Any) -> Event:
        pin = self._opened().pinned(shown)
        self.pins.append(pin)
        self.on_event({"kind": "pin"})
        return {"line": pin.line}

    def state(self) -> dict[str, Any]:
        """Return what the page shows beside the clip, as values that JSON can hold.

        Names of clips, which may tell the class, are there once the clip was guessed.

        >>> import audiointerp as ai
        >>> classifier = ai.Classifier(ai.Cnn6(2, base_channels=2), ai.LogMel(), ["dog", "rain"])
        >>> state = Explorer(classifier, ["a.wav"], ["rise"]).state()
        >>> state["clips"], state["methods"][0]["state"]
        (['Clip 1'], 'new')
        """
        clip = self.clip
        return {
            "labels": list(self.classifier.labels),
            "clips": [self._shown_name(number) for number in range(len(self.sources))],
            "number": self.number,
            "clip": "" if clip is None or self.guess is None else clip.source.name,
            "isOpen": clip is not None,
            "target": None if clip is None else clip.target,
            "against": None if clip is None else clip.against,
            "methods": [self._method_state(name) for name in self.methods],
            "guess": self.guess,
            "guesses": [self.guesses.right, self.guesses.asked],
            "quiz": [self.quiz.count.right, self.quiz.count.asked],
            "pins": len(self.pins),
        }

    def _shown_name(self, number: int) -> str:
        name = f": {self.sources[number].name}" if number in self._named else ""
        return f"Clip {number + 1}{name}"

    def _method_state(self, name: str) -> dict[str, Any]:
        job = self.jobs.by_name.get(name)
        now: dict[str, Any] = {"state": "new", "stage": "", "done": 0, "total": 0, "text": ""}
        if job is not None:
            now = {key: getattr(job, key) for key in now}
        return {"name": name, "title": METHOD_TITLES.get(name, name), **now}

    def page(self) -> str:
        """Return the page of what was pinned, or else of what is shown; it needs no kernel.

        Raises:
            ArgumentError: nothing was explained yet.

        >>> import audiointerp as ai
        >>> classifier = ai.Classifier(ai.Cnn6(2, base_channels=2), ai.LogMel(), ["dog", "rain"])
        >>> Explorer(classifier, ["a.wav"]).page()
        Traceback (most recent call last):
        audiointerp.errors.ArgumentError: explain the clip first: wait until a method is done
        """
        section = "" if self.clip is None else self.clip.section
        if not self.pins and not section:
            raise ArgumentError(UNKNOWN)
        return pinned_page(self.pins, section)
