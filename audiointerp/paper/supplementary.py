"""The supplementary material: an illustration of the four methods and a page to listen to.

All sounds are of the synthetic set, so that they can be shared freely; the network is the small one
that comes with the project. The same call writes the same bytes on the same machine.
"""

import base64
import html
import io
import os
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure
from torch import Tensor

from ..dataset import CLASSES, Synthetic
from ..display import METHOD_TITLES, comparison, matched_player, page, player, shared_peak
from ..errors import ArgumentError
from ..experiments import TEST_FOLDS, TRAIN_FOLDS, background_of
from ..fit import logits_of
from ..interpretation import METHODS
from ..model import Classifier
from ..predict import Interpretation, interpret
from ..util import atomic_write, make_folder, write_text

UNITS = {"saliency": "logit per dB", "gradcam": "logit", "shap": "logit", "lime": "probability"}
"""The methods of the study, and the units of their attributions."""
LABELS = ("siren", "telephone_bell")
"""The classes of the page; the first is that of the illustration."""
LEAST_GAIN = 1.0
"""The gain in dB below which a level-matched copy would sound the same, and is left out."""
SHOWN_MASKS = ("topK_30", "minmax_pos")
"""A mask of zeros and ones, which the illustration shows, and one of weights."""


def write_supplementary(
    weights: str | os.PathLike[str],
    out: str | os.PathLike[str],
    labels: Sequence[str] = LABELS,
    methods: Sequence[str] = tuple(UNITS),
) -> list[Path]:
    """Write ``illustration.pdf``, ``illustration.png`` and ``listening.html`` to a folder.

    Args:
        weights: a classifier of the synthetic set.
        out: the folder, created if missing.
        labels: the classes of the page; each is shown by the test clip with its highest
            probability.
        methods: names in :data:`UNITS`.

    Returns:
        The paths of the three files.

    Raises:
        ArgumentError: the classifier has other classes than the synthetic set.

    Example (some minutes)::

        write_supplementary("weights/synthetic_mel_cnn10.safetensors", "supplementary")
    """
    classifier = Classifier.load(weights)
    if classifier.labels != tuple(CLASSES):
        raise ArgumentError(
            f"{weights}: this classifier is not of the synthetic set, its classes are "
            f"{', '.join(classifier.labels)}; give weights/synthetic_mel_cnn10.safetensors"
        )
    interpretations = _interpret_clips(classifier, labels, methods)
    folder = make_folder(out)
    paths = [folder / name for name in ("illustration.pdf", "illustration.png", "listening.html")]
    first_clip = next(iter(interpretations.values()))
    _save(comparison(first_clip[SHOWN_MASKS[0]], UNITS), paths[:2])
    sections = [_section(clip, results) for clip, results in interpretations.items()]
    write_text(paths[2], page("Listening examples", [_introduction(classifier), *sections]))
    return paths


def _interpret_clips(
    classifier: Classifier, labels: Sequence[str], methods: Sequence[str]
) -> dict[str, dict[str, list[Interpretation]]]:
    """Interpret one test clip per class with every mask and method; by clip, then mask."""
    test, train = (
        Synthetic(folds, sample_rate=classifier.sample_rate, duration=classifier.duration)
        for folds in (TEST_FOLDS, TRAIN_FOLDS)
    )
    needs_background = any(METHODS[method].needs_background for method in methods)
    background = background_of(train, classifier.transform) if needs_background else None
    interpretations: dict[str, dict[str, list[Interpretation]]] = {}
    for label in labels:
        index = _most_probable_clip(classifier, test, label)
        wav = test[index][0][None]
        by_mask = interpretations.setdefault(test.clip_id(index), {})
        for mask in SHOWN_MASKS:
            by_mask[mask] = [
                interpret(classifier, wav, method, mask, target=label, background=background)
                for method in methods
            ]
    return interpretations


def _most_probable_clip(classifier: Classifier, dataset: Synthetic, label: str) -> int:
    """Return the index of the clip of a class to which the network gives the class most surely."""
    target = classifier.target(label)
    indices = [index for index, (_, _, true) in enumerate(dataset.rows) if true == target]
    db = torch.cat([classifier.transform(dataset[index][0][None]).db for index in indices])
    probabilities = logits_of(classifier.network, db).softmax(1)[:, target]
    return indices[int(probabilities.argmax())]


def _save(figure: Figure, paths: Sequence[Path]) -> None:
    """Save a figure in the formats of the paths' endings, without a date or a program's name."""
    metadata = {
        ".pdf": {"CreationDate": None, "Creator": None, "Producer": None},
        ".png": {"Software": None},
    }
    with plt.rc_context({"pdf.fonttype": 42}):
        for path in paths:
            with atomic_write(path) as part:
                figure.savefig(part, dpi=300, metadata=metadata[path.suffix])
    plt.close(figure)


def _introduction(classifier: Classifier) -> str:
    return (
        "<p>Clips of the synthetic set (test fold), each explained by four methods; of each class, "
        "the clip with the class's highest probability. The network is a small "
        f"{type(classifier.network).__name__} on mel features. <b>Kept</b> is the part of the clip "
        "that a mask keeps, <b>removed</b> the rest; p is the network's probability of the class "
        f"for that sound, before any gain. {SHOWN_MASKS[0]} keeps the 30 % of the bins with the "
        f"highest attribution: kept + removed = the clip. {SHOWN_MASKS[1]} scales each bin's "
        "level, in dB above the floor, by its positive attribution: a bin with half the largest "
        "attribution becomes some 60 dB quieter."
        "</p><p><i>One gain</i>: all sounds of a clip share one gain. <i>Level-matched</i>: copies "
        "raised to the clip's level, as far as their peak allows, by the gain beside them, where "
        f"it is {LEAST_GAIN:g} dB or more. The sounds are MP3 to keep this page small; "
        "<code>audiointerp interpret</code> writes them without loss.</p>"
    )


def _section(clip: str, results: dict[str, list[Interpretation]]) -> str:
    """Return one clip: its player, a picture of all methods, a table of players per mask."""
    interpretations = list(chain.from_iterable(results.values()))
    first, peak = interpretations[0], shared_peak(interpretations)
    figure = comparison(results[SHOWN_MASKS[0]], UNITS)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="webp", dpi=150, pil_kwargs={"quality": 80})
    plt.close(figure)
    picture = base64.b64encode(buffer.getvalue()).decode()
    original = player(first.wav / peak, first.sample_rate, "MP3")
    tables = "".join(_table(mask, row, peak) for mask, row in results.items())
    return (
        f'<div class="audiointerp listening"><h2>{html.escape(first.explained)}</h2>'
        f"<p>The clip {html.escape(clip)} (p of the sound {first.heard['p']:.3f}): {original}</p>"
        '<img alt="attributions, kept and removed parts by method" '
        f'src="data:image/webp;base64,{picture}">{tables}</div>'
    )


def _table(mask: str, results: Sequence[Interpretation], peak: float) -> str:
    heads = "".join(
        f"<th>{part}, one gain<th>{part}, level-matched<th>p of the sound"
        for part in ("kept", "removed")
    )
    rows = []
    for result in results:
        kept = _cells(result, result.kept, "p_in", peak)
        removed = _cells(result, result.removed, "p_out", peak)
        rows.append(f"<tr><th>{METHOD_TITLES[result.attribution.method]}{kept}{removed}")
    return f"<table><tr><th>{html.escape(mask)}{heads}{''.join(rows)}</table>"


def _cells(result: Interpretation, wav: Tensor, probability: str, peak: float) -> str:
    one_gain = player(wav / peak, result.sample_rate, "MP3")
    matched = matched_player(wav, result, "MP3", LEAST_GAIN)
    return f"<td>{one_gain}<td>{matched}<td>{result.heard[probability]:.3f}"
