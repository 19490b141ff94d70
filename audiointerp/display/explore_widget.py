"""The explorer in a notebook: a widget for its page, and a copy of the page that needs no kernel.

anywidget carries the messages; it is the extra ``explore``, and is imported when it is used.
"""

import os
import threading
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from ..errors import ArgumentError
from ..model import Classifier
from ..util import write_text
from .document import document, framed, part
from .explorer import STATE, Event, Explorer

MISSING = "ai.explore needs anywidget, which is not installed: pip install 'audiointerp[explore]'"
SAVED = (
    "This page was saved with the notebook: it plays without a kernel. Run the cell again to "
    "explore."
)
NOTHING_SAVED = "Nothing was explained before this notebook was saved. Run the cell again."


def explore(
    classifier: Classifier,
    clips: Any,
    methods: Sequence[str] | None = None,
    *,
    background: Tensor | None = None,
) -> "NotebookExplorer":
    """Explore clips in a notebook: guess, compare methods, draw a box and hear what it changes.

    Args:
        classifier: the classifier.
        clips: the path of a sound file; a list of paths or of samples; or a data set, see
            :func:`~audiointerp.dataset.as_dataset`.
        methods: names in ``METHODS``; by default all that can be used.
        background: for SHAP and GradientSHAP, features ``(B, 1, F, T)`` of training clips.

    Returns:
        The explorer, which a notebook shows as the last value of a cell.

    Raises:
        ArgumentError: anywidget is not installed, a method is unknown or cannot be used, or the
            clips do not fit the classifier.

    >>> import torch, audiointerp as ai
    >>> classifier = ai.Classifier(ai.Cnn6(2, base_channels=2), ai.LogMel(), ["dog", "rain"])
    >>> explorer = ai.explore(classifier, [torch.randn(32000)])
    >>> explorer.state()["labels"]
    ['dog', 'rain']
    """
    return NotebookExplorer(classifier, clips, methods, background)


class NotebookExplorer(Explorer):
    """An explorer with the widget that shows it; see :func:`explore`.

    Attributes:
        widget: carries the page, and the messages between it and the explorer.

    >>> import torch, audiointerp as ai
    >>> classifier = ai.Classifier(ai.Cnn6(2, base_channels=2), ai.LogMel(), ["dog", "rain"])
    >>> NotebookExplorer(classifier, [torch.randn(32000)]).widget.state["isOpen"]
    False
    """

    def __init__(
        self,
        classifier: Classifier,
        clips: Any,
        methods: Sequence[str] | None = None,
        background: Tensor | None = None,
    ) -> None:
        super().__init__(classifier, clips, methods, background)
        self.widget = _widget()
        self._saved: Any = None
        self._publishing = threading.Lock()
        self.on_event = self._publish
        self.widget.on_msg(self._asked)
        self._publish(STATE)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the page of what was pinned, or else of what is shown, into a file.

        Raises:
            ArgumentError: nothing was explained yet.
            AudioInterpError: the file cannot be written.
        """
        write_text(path, self.page())

    def _ipython_display_(self) -> None:
        from IPython.display import HTML, display

        display(self.widget)
        self._saved = display(HTML(self._saved_page()), display_id=True)

    def _asked(self, widget: Any, message: Any, buffers: Sequence[Any]) -> None:
        self.widget.send(self.receive(message, buffers))

    def _publish(self, event: Event) -> None:
        # From two threads, and the older state must not come last.
        with self._publishing:
            self.widget.state = self.state()
        if event is STATE:
            return
        self.widget.section = "" if self.clip is None else self.clip.section
        self.widget.send(dict(event))
        if self._saved is not None and event["kind"] != "box":
            from IPython.display import HTML

            self._saved.update(HTML(self._saved_page()))

    def _saved_page(self) -> str:
        is_there = self.pins or (self.clip is not None and self.clip.section)
        text, page = (SAVED, framed(self.page())) if is_there else (NOTHING_SAVED, "")
        return f"<div data-audiointerp-saved><p>{text}</p>{page}</div>"


def explore_page() -> str:
    """Return the page of an explorer, which a widget connects with its kernel.

    >>> explore_page().count("data-explore>")
    1
    """
    page = document("Explore", [part("explore.html")])
    head, body = page.split("</head>", 1)
    body, end = body.rsplit("</body>", 1)
    style, script = part("explore.css"), part("explore.js")
    return f"{head}<style>\n{style}</style></head>{body}<script>\n{script}</script></body>{end}"


def _widget() -> Any:
    try:
        import anywidget
        import traitlets
    except ImportError as error:
        raise ArgumentError(MISSING) from error
    members = {
        "_esm": part("explore_widget.js"),
        "page": traitlets.Unicode(explore_page()).tag(sync=True),
        "section": traitlets.Unicode("").tag(sync=True),
        "state": traitlets.Dict().tag(sync=True),
    }
    return type("ExploreWidget", (anywidget.AnyWidget,), members)()
