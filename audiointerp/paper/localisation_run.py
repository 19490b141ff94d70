"""The mixtures and methods of docs/localisation.md, measured clip by clip, and resumed."""

import inspect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from torch import Tensor
from tqdm.auto import tqdm

from ..dataset import ClipDataset, Mixtures
from ..errors import ArgumentError
from ..experiments import described_model, sha256_of_state
from ..interpretation import LIME, Explainer, IntegratedGradients, Occlusion
from ..model import Classifier
from ..scoring import (
    BASELINES,
    LEAST_P,
    LOCALISATION_COLUMNS,
    WEIGHT_DB,
    LocalisationPlan,
    build_explainer,
    localised_methods,
    localised_rows,
)
from ..util import encodable, make_folder
from .measured_rows import Progress

CHEAP: Mapping[str, tuple[type[Explainer], Mapping[str, Any]]] = {
    "integrated_gradients": (IntegratedGradients, {"steps": 20}),
    "occlusion": (Occlusion, {"samples": 48}),
    "lime": (LIME, {"samples": 100}),
}
"""Methods whose default needs many forward passes, with fewer; the page says so."""
BASELINE_NAMES = frozenset(kind.name for kind in BASELINES)
DIGITS = 5
"""The significant digits of the rows; the page shows two decimals."""


@dataclass(frozen=True)
class Measured:
    """The mixtures at one ratio.

    Attributes:
        ratio_db: the energy of the first source over that of the second, in dB.
        number: how many.

    >>> ratios_in("0:60,-5")
    [Measured(ratio_db=0.0, number=60), Measured(ratio_db=-5.0, number=60)]
    """

    ratio_db: float
    number: int


def ratios_in(text: str, number: int = 60) -> list[Measured]:
    """Read ratios with their numbers of mixtures, ``RATIO[:NUMBER]``, separated by commas.

    Raises:
        ArgumentError: the text has another form, or a ratio is repeated.

    >>> ratios_in("0,5:24", 40)[1]
    Measured(ratio_db=5.0, number=24)
    """
    ratios = []
    for entry in text.split(","):
        ratio, _, count = entry.partition(":")
        try:
            ratios.append(Measured(float(ratio), int(count or number)))
        except ValueError:
            raise ArgumentError(
                f"ratios {text!r}: give dB, or dB:number of mixtures, e.g. 0:60,-5:24"
            ) from None
    fractions = [entry.ratio_db for entry in ratios if not entry.ratio_db.is_integer()]
    if fractions:
        raise ArgumentError(f"ratios {text!r}: {fractions[0]:g} is not a whole number of dB")
    numbers = {measured.ratio_db: measured.number for measured in ratios}
    if len(numbers) < len(ratios):
        raise ArgumentError(f"ratios {text!r}: give each ratio once")
    # The explained sounds at R dB are those of the mixtures at R and at -R dB, and their groups of
    # recordings depend on the number of mixtures.
    unequal = [ratio for ratio, count in numbers.items() if numbers.get(-ratio, count) != count]
    if unequal:
        raise ArgumentError(
            f"ratios {text!r}: {unequal[0]:g} and {-unequal[0]:g} dB need equal numbers of mixtures"
        )
    return ratios


def localisation_methods(
    names: Sequence[str], classifier: Classifier, background: Tensor | None = None
) -> dict[str, Explainer]:
    """Build methods by name; ``"layercam@conv_block1"`` is a method on a layer.

    Those of :data:`CHEAP` use fewer forward passes than by default.

    Args:
        names: names in ``METHODS``, or such a name, ``@`` and a layer.
        classifier: the classifier.
        background: for methods that need one.

    Raises:
        ArgumentError: a name is unknown.

    >>> from audiointerp import Cnn6, LogMel
    >>> network = Cnn6(2, base_channels=4)
    >>> classifier = Classifier(network, LogMel(), ["cat", "dog"], duration=1.0)
    >>> list(localisation_methods(["gradcam", "layercam@conv_block1"], classifier))
    ['gradcam', 'layercam_conv_block1']
    """
    methods = {}
    for name in names:
        method, _, layer = name.partition("@")
        explainer = build_explainer(method, classifier, background)
        if layer:
            explainer = _on_layer(type(explainer), classifier, layer)
        elif method in CHEAP:
            kind, settings = CHEAP[method]
            explainer = kind(classifier.network, **settings)
        key = f"{method}_{layer}" if layer else method
        methods[key] = explainer.renamed(key)
    return methods


def _on_layer(kind: type[Explainer], classifier: Classifier, layer: str) -> Explainer:
    if "layer" not in inspect.signature(kind.__init__).parameters:
        raise ArgumentError(f"method {kind.name}@{layer}: {kind.name} has no layer to choose")
    return kind(classifier.network, layer=layer)  # type: ignore[call-arg]


def budgets_of(names: Iterable[str]) -> str:
    """Return which of some methods use fewer forward passes than by default, and which settings.

    >>> budgets_of(["gradcam", "lime"])
    'lime (samples 100)'
    """
    parts = []
    for name in names:
        if name in CHEAP:
            values = ", ".join(f"{key} {value}" for key, value in CHEAP[name][1].items())
            parts.append(f"{name} ({values})")
    return ", ".join(parts) or "none"


def measure_localisation(
    classifier: Classifier,
    dataset: ClipDataset,
    ratios: Sequence[Measured],
    methods: Mapping[str, Explainer],
    folder: Path,
    *,
    slow_at: Sequence[float] = (0.0,),
    min_p: float = LEAST_P,
    axis: str = "bins",
    seed: int = 0,
) -> pd.DataFrame:
    """Measure methods on mixtures at several ratios; what was measured before is not done again.

    Args:
        classifier: the classifier.
        dataset: the clips that are mixed.
        ratios: the mixtures.
        methods: of :func:`localisation_methods`.
        folder: gets ``localisation.csv``, the rows, and ``localisation.jsonl``, see
            :class:`Progress`.
        slow_at: the ratios of the first source at which methods are measured that run the network
            dozens of times for each clip: those in :data:`CHEAP`, and others without gradients.
        min_p, axis: as for :func:`~audiointerp.scoring.localise`.
        seed: of the pairs.

    Returns:
        The rows of :func:`~audiointerp.scoring.localise`.

    Raises:
        AudioInterpError: the folder has results with other settings.

    Example: ``audiointerp localise`` calls it.
    """
    plan = LocalisationPlan(axis=axis, min_p=min_p)
    explainers = localised_methods(methods, classifier)
    clips = [encodable(dataset.clip_id(index)) for index in range(len(dataset))]
    # Before the model is asked: some networks change their state with each forward pass.
    network_sha256 = sha256_of_state(classifier.network)
    settings = {
        "network": network_sha256,
        "model": described_model(classifier),
        "transform": classifier.transform.to_dict(),
        "classifier": [classifier.duration, classifier.output, classifier.normalize],
        "clips": clips,
        "plan": [list(plan.weights), plan.axis, plan.min_p],
        "weight_db": WEIGHT_DB,
        "seed": seed,
    }
    progress = Progress(make_folder(folder) / "localisation.jsonl", settings)
    rows: list[dict[str, Any]] = []
    for measured in ratios:
        mixtures = Mixtures(dataset, measured.number, measured.ratio_db, seed)
        chosen = [
            explainer
            for explainer in explainers
            if measured.ratio_db in slow_at or not _is_slow(explainer)
        ]
        title = f"{measured.ratio_db:g} dB"
        for index in tqdm(range(len(mixtures)), desc=title, unit="clip", disable=None):
            name = encodable(mixtures.clip_id(index))
            missing = [each for each in chosen if progress.rows_of(name, each) is None]
            if missing:
                new_rows = list(localised_rows(classifier, mixtures, index, missing, plan))
                progress.add(name, missing, new_rows)
            for explainer in chosen:
                rows += progress.rows_of(name, explainer) or []
            rows += progress.skipped_of(name)
    frame = pd.DataFrame(rows, columns=LOCALISATION_COLUMNS)
    numbers = frame.select_dtypes("float").columns
    frame[numbers] = frame[numbers].map(lambda value: float(f"{value:.{DIGITS}g}"))
    frame.to_csv(folder / "localisation.csv", index=False, lineterminator="\n")
    return frame


def _is_slow(explainer: Explainer) -> bool:
    is_black_box = explainer.black_box and explainer.name not in BASELINE_NAMES
    return is_black_box or explainer.name in CHEAP
