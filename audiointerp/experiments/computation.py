"""Computes the rows of clips in this process."""

from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field

from ..dataset import LoadedClip
from ..interpretation import Explainer
from ..model import Classifier
from ..scoring import MethodRows, Plan, RecentAttributions, clip_rows


@dataclass(frozen=True, eq=False)
class Computation:
    """What computes the rows of a clip: a classifier, its explainers by name, and the plan.

    It keeps the attributions of recent clips, since a null needs that of the next clip, too.

    >>> import torch
    >>> from audiointerp.interpretation import Random
    >>> from audiointerp.model import Cnn6
    >>> from audiointerp.processing import LogMel
    >>> classifier = Classifier(Cnn6(2, base_channels=4), LogMel(), ["a", "b"], duration=1.0)
    >>> computation = Computation(classifier, {"random": Random(classifier.network)}, Plan(["bin"]))
    >>> clip = LoadedClip("a.wav", "a", torch.rand(1, 32000), "a", sha256="")
    >>> task = Task(0, clip, ["random"])
    >>> [(computed.method, len(computed.rows)) for computed in computation.rows(task)]
    [('random', 1)]
    """

    classifier: Classifier
    explainers: Mapping[str, Explainer]
    plan: Plan
    attributions: RecentAttributions = field(default_factory=RecentAttributions)

    def rows(self, task: "Task") -> Iterator[MethodRows]:
        """The rows of a task, method by method."""
        explainers = [self.explainers[method] for method in task.methods]
        return clip_rows(
            self.classifier, task.loaded, explainers, self.plan, task.other, self.attributions
        )


@dataclass(frozen=True, eq=False)
class Task:
    """One clip, the methods that need it, and the clip of the null ``"other"``, if any.

    >>> Task(0, LoadedClip("a.wav", "a", None, "", sha256=""), ["random"]).methods
    ['random']
    """

    index: int
    loaded: LoadedClip
    methods: list[str]
    other: LoadedClip | None = None


Result = tuple[Task, MethodRows]
"""A task, and the rows of one of its methods."""


def compute_here(
    computation: Computation, tasks: Iterator[Task], stop_requested: Callable[[], bool]
) -> Generator[Result]:
    """Compute tasks in this process, method by method, until a stop is requested.

    >>> import torch
    >>> from audiointerp.interpretation import Random
    >>> from audiointerp.model import Cnn6
    >>> from audiointerp.processing import LogMel
    >>> classifier = Classifier(Cnn6(2, base_channels=4), LogMel(), ["a", "b"], duration=1.0)
    >>> computation = Computation(classifier, {"random": Random(classifier.network)}, Plan(["bin"]))
    >>> clip = LoadedClip("a.wav", "a", torch.rand(1, 32000), "a", sha256="")
    >>> tasks = iter([Task(0, clip, ["random"])])
    >>> [rows.method for task, rows in compute_here(computation, tasks, lambda: True)]
    ['random']
    """
    for task in tasks:
        for computed in computation.rows(task):
            yield task, computed
            if stop_requested():
                return
