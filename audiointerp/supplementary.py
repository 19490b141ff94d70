"""The supplementary material: an illustration of the four methods, and a page of listening examples.

All of it is of the made set, whose sounds are nobody's, explained by the small network that is kept for it. The same call
writes the same bytes on the same machine.
"""

import base64
import html
import io
import os
from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure
from torch import Tensor

from .dataset import Synthetic
from .dataset.synthetic import CLASSES
from .errors import ArgumentError
from .experiments import TEST_FOLDS, TRAIN_FOLDS, background_of
from .files import make_folder, replacing, write_text
from .fit import logits_of
from .interpretation import METHODS
from .model import Classifier
from .plot import METHOD_TITLES, comparison
from .predict import Interpretation, interpret
from .report import matched_player, page, player, shared_peak

UNITS = {"saliency": "logit per dB", "gradcam": "logit", "shap": "logit", "lime": "probability"}
"""The methods of the study, and what their attributions are measured in."""
LABELS = ("rise", "siren", "clicks")
"""The sounds of the page; the first is that of the illustration."""
LEAST_GAIN = 1.0
"""Decibels below which a level-matched copy would sound the same."""
MASKS = ("topK_30", "minmax_pos")
"""A mask that keeps bins whole, which the illustration shows, and one that weighs them."""


def write_supplementary(
    weights: str | os.PathLike[str],
    out: str | os.PathLike[str],
    labels: Sequence[str] = LABELS,
    methods: Sequence[str] = tuple(UNITS),
) -> list[Path]:
    """Write ``illustration.pdf``, ``illustration.png`` and ``listening.html`` to a folder.

    Args:
        weights: a classifier of the made set.
        out: the folder, which is made if it is missing.
        labels: the classes of the page; of each, the test clip whose class the network is surest of.
        methods: names in :data:`UNITS`.

    Raises:
        ArgumentError: the classifier is not of the made set.
    """
    classifier = Classifier.load(weights)
    if classifier.labels != tuple(CLASSES):
        raise ArgumentError(f"{weights}: this classifier is not of the made set: {', '.join(classifier.labels)}")
    test, train = (
        Synthetic(folds, sample_rate=classifier.sample_rate, duration=classifier.duration)
        for folds in (TEST_FOLDS, TRAIN_FOLDS)
    )
    needed = any(METHODS[method].needs_background for method in methods)
    background = background_of(train, classifier.transform) if needed else None
    explained: dict[str, dict[str, list[Interpretation]]] = {}  # by clip and mask
    for label in labels:
        index = _surest(classifier, test, label)
        wav = test[index][0][None]
        explained[test.clip_id(index)] = {
            mask: [interpret(classifier, wav, method, mask, target=label, background=background) for method in methods]
            for mask in MASKS
        }
    folder = make_folder(out)
    paths = [folder / name for name in ("illustration.pdf", "illustration.png", "listening.html")]
    _save(comparison(next(iter(explained.values()))[MASKS[0]], UNITS), paths[:2])
    sections = [_section(clip, results) for clip, results in explained.items()]
    write_text(paths[2], page("Listening examples", [_introduction(classifier), *sections]))
    return paths


def _surest(classifier: Classifier, dataset: Synthetic, label: str) -> int:
    """The place of that clip of a class to which the network gives the class's highest probability."""
    target = classifier.target(label)
    places = [place for place, (_, _, own) in enumerate(dataset.rows) if own == target]
    db = torch.cat([classifier.transform(dataset[place][0][None]).db for place in places])
    probabilities = logits_of(classifier.network, db).softmax(1)[:, target]
    return places[int(probabilities.argmax())]


def _save(figure: Figure, paths: Sequence[Path]) -> None:
    """Write a picture in the formats of the paths' endings, without a date or a program's name."""
    nameless = {".pdf": {"CreationDate": None, "Creator": None, "Producer": None}, ".png": {"Software": None}}
    with plt.rc_context({"pdf.fonttype": 42}):
        for path in paths:
            with replacing(path) as part:
                figure.savefig(part, dpi=300, metadata=nameless[path.suffix])
    plt.close(figure)


def _introduction(classifier: Classifier) -> str:
    return (
        "<p>Sounds of the made set (synthetic, test fold), each explained by four methods; of each class, the clip that the "
        f"network is surest of. The network is a small {type(classifier.network).__name__} on mel features. "
        "<b>Kept</b> is what a mask leaves of the clip, <b>removed</b> what it takes away; p is what the network says of the "
        f"class when it gets that part. {MASKS[0]} keeps the 30 % of the bins with the highest attribution: kept + removed = "
        f"the clip. {MASKS[1]} scales each bin's level, in dB above the floor, by its positive attribution: a bin of half the "
        "largest attribution is some 60 dB quieter.</p><p>Under <i>one gain</i> all sounds of a clip are as loud as they are. "
        "The <i>level-matched</i> copies are brought to the clip's level, as far as their peak allows, by the gain beside "
        f"them, where that is {LEAST_GAIN:g} dB or more. The sounds are MP3 to keep this page small; "
        "<code>audiointerp interpret</code> writes them without loss.</p>"
    )


def _section(clip: str, results: dict[str, list[Interpretation]]) -> str:
    """One clip: its sound, the picture of all methods under the first mask, and a table of players for each mask."""
    everything = [result for row in results.values() for result in row]
    first, peak = everything[0], shared_peak(everything)
    figure = comparison(results[MASKS[0]], UNITS)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="webp", dpi=150, pil_kwargs={"quality": 80})
    plt.close(figure)
    picture = base64.b64encode(buffer.getvalue()).decode()
    original = player(first.wav / peak, first.sample_rate, "MP3")
    tables = "".join(_table(mask, row, peak) for mask, row in results.items())
    return (
        f'<div class="audiointerp listening"><h2>{html.escape(first.explained)}</h2>'
        f"<p>The clip {html.escape(clip)} (p = {first.scores['p']:.3f}): {original}</p>"
        f'<img alt="attributions, kept and removed parts by method" src="data:image/webp;base64,{picture}">{tables}</div>'
    )


def _table(mask: str, results: Sequence[Interpretation], peak: float) -> str:
    heads = "".join(f"<th>{part}, one gain<th>{part}, level-matched<th>p" for part in ("kept", "removed"))
    rows = "".join(
        f"<tr><th>{METHOD_TITLES[result.attribution.method]}"
        f"{_cells(result, result.kept, 'p_in', peak)}{_cells(result, result.removed, 'p_out', peak)}"
        for result in results
    )
    return f"<table><tr><th>{html.escape(mask)}{heads}{rows}</table>"


def _cells(result: Interpretation, wav: Tensor, probability: str, peak: float) -> str:
    quiet = player(wav / peak, result.sample_rate, "MP3")
    return f"<td>{quiet}<td>{matched_player(wav, result, 'MP3', LEAST_GAIN)}<td>{result.scores[probability]:.3f}"
