"""Settings that come out of NumPy, e.g. of a loop over np.arange, are those of Python."""

import json

import numpy as np
import pytest
from small import small_classifier

import audiointerp as ai
from audiointerp import interpretation
from audiointerp.dataset import EvenSubset, Synthetic
from audiointerp.experiments import Experiment, local_engine, run, run_shards
from audiointerp.processing import Scaling

EXPLAINERS = {
    "lime": (interpretation.LIME, {"segments": "grid", "samples": 400, "seed": 1, "batch": 8}),
    "rise": (interpretation.RISE, {"cells": (4, 4), "samples": 4, "keep": 0.5}),
    "mask_gradient": (interpretation.MaskGradient, {"samples": 2, "components": 2, "frame": 1.5}),
    "optimal": (interpretation.OptimalMask, {"steps": 1, "areas": (0.25, 0.5), "draws": 1}),
    "occlusion": (interpretation.Occlusion, {"patch": (60, 60), "stride": (60, 60), "samples": 2}),
}


def numpys(value):
    """The same settings as NumPy's numbers."""
    if isinstance(value, dict):
        return {name: numpys(item) for name, item in value.items()}
    if isinstance(value, tuple):
        return tuple(numpys(item) for item in value)
    if isinstance(value, float):
        return np.float32(value)
    return np.int64(value) if isinstance(value, int) else value


@pytest.fixture(scope="module")
def clips():
    return EvenSubset(Synthetic((5,), sample_rate=32000, duration=3.0), 1)


@pytest.fixture(scope="module")
def classifier(clips):
    small = small_classifier(10, duration=3.0)
    return ai.Classifier(small.network, small.transform, clips.labels, small.duration)


@pytest.mark.parametrize("name", EXPLAINERS)
def test_an_explainer_takes_them_and_a_run_resumes_with_those_of_python(
    name, classifier, clips, tmp_path
):
    kind, settings = EXPLAINERS[name]
    given = numpys(settings)
    assert given == settings
    records = []
    for each in (given, settings):
        explainer = kind(classifier.network, **each)
        run(
            Experiment("own", "mel"), classifier, clips, [explainer], tmp_path,
            masks=[np.float32(0.25)], on="features", fill="silence", progress=False,
        )  # fmt: skip
        records.append(json.loads((tmp_path / "mel/own" / name / "run.json").read_text()))
    assert records[0] == records[1]


def test_calls_take_them(classifier, clips, tmp_path):
    two, one = np.int64(2), np.int64(1)
    alone = ai.score(classifier, clips, ["random"], ["bin"], progress=False)
    engine = local_engine(two)
    rows = ai.score(classifier, clips, ["random"], ["bin"], progress=False, engine=engine)
    assert len(rows) == len(alone) == 1
    done = run_shards(
        Experiment("own", "mel"), classifier, clips, ["random"], tmp_path,
        masks=["bin"], on="features", fill="silence", progress=False, shard_size=one,
    )  # fmt: skip
    assert done.is_complete
    sound = (np.random.default_rng(0).standard_normal(9 * 32000) / 10, 32000)
    assert len(ai.scan(classifier, sound, hop=np.float32(1.5), progress=False).starts) == 5


def test_a_classifier_and_its_scaling_can_be_saved(classifier, tmp_path):
    network, grid = classifier.network, classifier.transform
    same = ai.Classifier(network, grid, classifier.labels, np.float32(1))
    same.save(tmp_path / "classifier.safetensors")
    assert ai.Classifier.load(tmp_path / "classifier.safetensors").duration == 1.0
    scaling = Scaling(epsilon=np.float32(0.5), top_db=np.int64(80), correction=np.int64(1))
    assert scaling == Scaling(epsilon=0.5, top_db=80, correction=1)
    json.dumps([scaling.epsilon, scaling.top_db, scaling.correction])
