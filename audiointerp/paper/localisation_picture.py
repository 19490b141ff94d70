"""The picture of docs/localisation.md: one mixture, its sources, and where maps see them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from ..dataset import ClipDataset, Mixtures
from ..display import LocalisedClass, localisation_figure
from ..errors import AudioInterpError
from ..interpretation import Explainer
from ..model import Classifier
from ..scoring import explain_clip, localised_methods, truth_of
from ..util import atomic_write
from .localisation_run import BASELINE_NAMES, Measured
from .localisation_tables import LEVEL, MAIN, SHOWN, scored_at


def draw_median_mixture(
    path: Path,
    rows: pd.DataFrame,
    classifier: Classifier,
    dataset: ClipDataset,
    ratios: Sequence[Measured],
    methods: Mapping[str, Explainer],
) -> str:
    """Draw the mixture whose contrast is the median, by the best method.

    Args:
        path: of the picture.
        rows, classifier, dataset, ratios, methods: see
            :func:`~audiointerp.paper.localisation_page.write_localisation`.

    Returns:
        The caption.

    Raises:
        AudioInterpError: no method was measured at 0 dB.

    Example: ``audiointerp localise`` calls it.
    """
    main = scored_at(rows, MAIN)
    plain = main[(main["weight"] == "none") & ~main["method"].isin(BASELINE_NAMES)]
    best = plain.groupby("method")["contrast"].mean().nlargest(SHOWN).index.tolist()
    if not best:
        raise AudioInterpError(
            f"no method was measured at {MAIN} dB, of which the page tells: give a ratio of "
            f"{MAIN}, a smaller --min-p, or methods that --slow-at does not leave out there; "
            "the columns stage and error of the rows may say more"
        )
    contrasts = plain[plain["method"] == best[0]].groupby("clip")["contrast"]
    ordered = contrasts.mean()[contrasts.size() == contrasts.size().max()].sort_values()
    name = ordered.index[len(ordered) // 2]
    number = next(measured.number for measured in ratios if round(measured.ratio_db) == MAIN)
    mixtures = Mixtures(dataset, number, float(MAIN))
    index = next(place for place in range(len(mixtures)) if mixtures.clip_id(place) == name)
    spectrogram = classifier.transform(mixtures[index][0][None])
    explainers = {each.name: each for each in localised_methods(methods, classifier)}
    classes = []
    for number, target in enumerate(mixtures.targets(index)):
        label = classifier.labels[target]
        p = plain.loc[(plain["clip"] == name) & (plain["explained"] == label), "p"]
        if p.empty:
            continue
        source, other = mixtures.parts(index)[number], mixtures.parts(index)[1 - number]
        truth = truth_of(classifier.transform(source).db, classifier.transform(other).db)
        maps = {
            method: explain_clip(classifier, spectrogram, explainers[method], target).values
            for method in (LEVEL, *best)
        }
        of_class = main[(main["clip"] == name) & (main["explained"] == label)]
        unweighted = of_class[of_class["weight"] == "none"].set_index("method")
        values = {method: float(unweighted["contrast"][method]) for method in maps}
        classes.append(LocalisedClass(label, float(p.iloc[0]), truth, maps, values))
    figure = localisation_figure(spectrogram, classes)
    with atomic_write(path) as partial:
        figure.savefig(partial, dpi=80)
    return (
        f"The mixture {name}, whose contrast by {best[0]} is the median of the {len(ordered)} with "
        f"{contrasts.size().max()} explained classes at {MAIN} dB. A row for each class: the "
        f"mixture; red where its source is the louder, blue where another one is; the level and "
        f"the best maps by their ranks, with their contrast."
    )
