"""A data set from what others have: pairs, torch data sets, Hugging Face's, a folder, a table."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from torch.utils.data import ConcatDataset, Subset

from ..errors import ArgumentError, DatasetError, choose
from ..processing import NORMALIZATIONS
from .clip_dataset import ClipDataset
from .clips import LabelledClips
from .converted import Converted, Form, GivenNames, stated_rate
from .in_memory import Joined, Selection
from .label_values import label_names

NEEDED = (
    "give a sequence of (wav, label), a torch or Hugging Face data set, a folder with a subfolder "
    "per class, or a CSV table"
)


def as_dataset(
    data: Any,
    sample_rate: int | None = None,
    labels: Sequence[str] | None = None,
    *,
    duration: float | None = None,
    normalize: str | None = None,
    files: str = "peak",
    mono: bool = False,
    names: Sequence[str] | None = None,
    recordings: Sequence[str] | None = None,
    audio: str = "audio",
    label: str = "label",
) -> ClipDataset:
    """Return a data set of clips in the form of this library.

    Args:
        data: one of

            - a data set of this library, which is returned as it is;
            - anything with a length whose items are ``(clip, label)``: a list, a torch data set. A
              clip is what :func:`~audiointerp.dataset.as_clip` takes; a label is a name or a
              number, or several of them (:func:`~audiointerp.dataset.label_values.as_target`);
            - a torch ``Subset`` or ``ConcatDataset`` of such data sets;
            - a Hugging Face ``Dataset`` with a column of audio and one of labels;
            - the path of a folder or of a table (:meth:`LabelledClips.open`).

        sample_rate: the rate in Hz of the clips, e.g. ``classifier.sample_rate``; clips whose own
            rate is known are resampled. May be left out if the data state it.
        labels: the class names by target, e.g. ``classifier.labels``; by default those that the
            data state, or the sorted names that occur.
        duration: in seconds; longer clips are cut, with a warning, and shorter ones padded with
            silence. None leaves each clip its own: explained and scored, but not trained on.
        normalize: ``"peak"``, ``"rms"`` or ``"none"``; None: sound files as ``files`` says, samples
            as they are.
        files: how sound files are normalised if ``normalize`` is None, e.g.
            ``classifier.normalize``.
        mono: whether to average the channels of arrays ``(C, L)``.
        names: the clips' names in results, all different; by default their numbers, or the names of
            their files.
        recordings: what each clip was cut from; by default each clip is a recording.
        audio, label: the columns of a Hugging Face data set.

    Raises:
        ArgumentError: the rate is missing or is not that of the data, or an argument does not go
            with this kind of data.
        DatasetError: the data have another form, or their labels are missing or differ.

    >>> import torch
    >>> clips = as_dataset([(torch.zeros(800), "dog"), (torch.ones(400), "cat")], sample_rate=8000)
    >>> clips.labels, clips[0][0].shape, clips[0][1], clips.clip_id(1)
    (('cat', 'dog'), torch.Size([1, 800]), 1, '1')
    """
    if normalize is not None:
        choose("normalization", normalize, NORMALIZATIONS)
    form = Form(
        sample_rate,
        None if labels is None else tuple(labels),
        duration,
        normalize,
        choose("normalization", files, NORMALIZATIONS),
        mono,
    )
    is_sequence = not _is_ours(data) and not isinstance(
        data, str | os.PathLike | Subset | ConcatDataset
    )
    if not is_sequence and not (names is None and recordings is None):
        raise ArgumentError(
            "names and recordings are of a sequence of clips; give them to the data set that a "
            "subset is of, or in a column of the table"
        )
    if not is_sequence:
        return _of_data_sets(data, form, audio, label)
    given = GivenNames(names, recordings)
    if _is_hugging_face(data):
        return _of_columns(data, form, given, audio, label)
    return _of_pairs(data, form, given)


def _of_data_sets(data: Any, form: Form, audio: str, label: str) -> ClipDataset:
    """A data set from files, one of this library, or parts of data sets."""
    if isinstance(data, str | os.PathLike):
        return LabelledClips.open(
            data,
            form.labels,
            sample_rate=stated_rate(form.sample_rate),
            duration=form.duration,
            normalize=form.normalize or form.files,
        )
    if isinstance(data, Subset):
        whole = as_dataset(data.dataset, **vars(form), audio=audio, label=label)
        return Selection(whole, data.indices)
    if isinstance(data, ConcatDataset):
        parts = [as_dataset(p, **vars(form), audio=audio, label=label) for p in data.datasets]
        return Joined(parts)
    if form.sample_rate not in (None, data.sample_rate):
        raise ArgumentError(
            f"the data set has {data.sample_rate} Hz, not {form.sample_rate} Hz; build it with "
            f"sample_rate={form.sample_rate}"
        )
    if form.labels not in (None, tuple(data.labels)):
        raise DatasetError(
            f"the data set has the labels {', '.join(data.labels):.200}, not "
            f"{', '.join(form.labels or ()):.200}; build it with labels="
        )
    return cast("ClipDataset", data)


def _is_ours(data: Any) -> bool:
    return all(
        hasattr(data, name) for name in ("sample_rate", "labels", "__len__", "__getitem__")
    ) and callable(getattr(data, "clip_id", None))


def _of_pairs(data: Any, form: Form, given: GivenNames) -> ClipDataset:
    """A data set from anything with a length whose items are (clip, label)."""
    if isinstance(data, Mapping):
        raise DatasetError(
            f"a dict of {', '.join(map(str, data)):.200} is not a data set: give one of its values"
        )
    if not (hasattr(data, "__len__") and hasattr(data, "__getitem__")):
        raise DatasetError(f"a {type(data).__name__} has no length or no items: {NEEDED}")
    if len(data) == 0:
        raise DatasetError("the data set holds no clips")

    def read(index: int) -> tuple[Any, Any]:
        item = data[index]
        if not isinstance(item, tuple | list) or len(item) != 2:
            size = f" of {len(item)}" if isinstance(item, tuple | list) else ""
            raise DatasetError(
                f"item {index} of the data is a {type(item).__name__}{size}, not a pair (clip, "
                "label); make pairs of it, e.g. [(item[0], item[-1]) for item in data]"
            )
        return item[0], item[1]

    rate = form.sample_rate or getattr(data, "sample_rate", None)
    first, first_label = read(0)
    is_listed = isinstance(data, list | tuple)
    labels = form.labels or _stated_labels(data)
    if not labels:
        # Where the first label is a number, nothing else is decoded.
        label_names([first_label])
        labels = label_names([read(index)[1] for index in range(len(data))])
    paths = [item[0] for item in data] if is_listed and isinstance(first, str | os.PathLike) else []
    if paths and given.names is None and all(isinstance(path, str | os.PathLike) for path in paths):
        files = [Path(path).name for path in paths]
        if len(set(files)) == len(files):
            given = GivenNames(files, given.recordings)
    whole = Form(rate, tuple(labels), form.duration, form.normalize, form.files, form.mono)
    label_of = (lambda index: read(index)[1]) if is_listed else None
    return Converted(read, len(data), whole, given, label_of)


def _stated_labels(data: Any) -> tuple[str, ...]:
    """The class names of a data set; its ``labels`` may instead be one label per clip."""
    for names in (getattr(data, "classes", None), getattr(data, "labels", None)):
        if not isinstance(names, list | tuple) or not isinstance(next(iter(names), None), str):
            continue
        # A name that occurs twice is the label of two clips.
        if len(set(names)) == len(names):
            return tuple(names)
    return ()


def _is_hugging_face(data: Any) -> bool:
    return isinstance(getattr(data, "features", None), Mapping) and hasattr(data, "column_names")


def _of_columns(data: Any, form: Form, given: GivenNames, audio: str, label: str) -> ClipDataset:
    """A data set from the columns of a Hugging Face ``Dataset``."""
    missing = [name for name in (audio, label) if name not in data.features]
    if missing:
        raise DatasetError(
            f"the data set has no column {', '.join(missing)}; its columns are "
            f"{', '.join(data.column_names):.200}: give audio= and label="
        )
    if not hasattr(data, "__len__"):
        raise DatasetError("a streamed data set has no length; load it without streaming=True")
    feature = data.features[label]
    of_one = feature[0] if isinstance(feature, list) else getattr(feature, "feature", feature)
    values = list(data[label])
    class_names = getattr(of_one, "names", None)
    if class_names and of_one is not feature:
        # The numbers of several classes, which may otherwise be taken for a multi-hot vector.
        values = [list(map(class_names.__getitem__, numbers)) for numbers in values]
    labels = form.labels or class_names or label_names(values)
    rate = form.sample_rate or getattr(data.features[audio], "sampling_rate", None)
    whole = Form(rate, tuple(labels), form.duration, form.normalize, form.files, form.mono)

    def read(index: int) -> tuple[Any, Any]:
        return data[index][audio], values[index]

    return Converted(read, len(data), whole, given, lambda index: values[index])
