"""The rows of results: their columns, what is read back, and what users can put into them."""

import io
import math
import time
from dataclasses import asdict

import pandas as pd
import pytest
import torch
from conftest import noise, small_classifier, small_set, ten_classes

import audiointerp as ai
from audiointerp.errors import ArgumentError
from audiointerp.experiments import fingerprint
from audiointerp.predict import interpret, score
from audiointerp.processing import Spectrogram
from audiointerp.scoring import (
    COLUMNS,
    Plan,
    build_explainer,
    build_explainers,
    clip_rows,
    protocol_of,
    read_rows,
)


def written_and_read(rows):
    return read_rows(io.StringIO(pd.DataFrame(rows, columns=list(COLUMNS)).to_csv(index=False)))


def loud(values):
    """A mask of one's own."""
    return (values > values.mean()).float()


def test_words_are_read_as_words():
    cells = {"method": "007", "clip": "1001", "recording": "1e5", "target": "000", "mask": "1"}
    rows = [{**cells, "predicted": "NA", "explained": "True", "error": "nan", "correct": True}]
    rows += [{**cells, "predicted": "", "explained": "null", "error": "0x1", "correct": False}]
    rows += [{**cells, "predicted": "None", "explained": "inf", "error": '"a, b"', "correct": None}]
    table = written_and_read(rows)
    for number, row in enumerate(rows):
        for name, value in row.items():
            assert table[name][number] == value or (value is table[name][number] is None)
    assert written_and_read(rows[:2])["correct"].tolist() == [True, False]


def test_numbers_are_read_to_the_last_bit():
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(2000, dtype=torch.float64, generator=generator) * torch.logspace(
        -300, 300, 2000, dtype=torch.float64
    )
    table = written_and_read({"FF": values.numpy(), "batch": 16})
    assert table["FF"].tolist() == values.tolist()
    assert table["batch"].dtype == float
    assert table["AI"].isna().all()


def test_the_old_name_of_a_protocol_is_read_as_the_new_one():
    table = written_and_read([{"protocol": "sound"}, {"protocol": "published"}])
    assert table["protocol"].tolist() == ["corrected", "published"]


def test_the_old_name_of_a_protocol_is_accepted(classifier):
    with pytest.warns(DeprecationWarning, match="'sound' is now called 'corrected'"):
        assert protocol_of("sound").name == "corrected"
    with pytest.warns(DeprecationWarning, match="corrected"):
        assert Plan(protocol="sound").to_dict()["protocol"] == "corrected"
    with pytest.warns(DeprecationWarning, match="corrected"):
        assert interpret(classifier, noise(1.0), protocol="sound").protocol == "corrected"
    dataset = small_set(count=1)
    with pytest.warns(DeprecationWarning, match="corrected"):
        rows = score(
            ten_classes(), dataset, ["saliency"], ["bin"], protocol="sound", progress=False
        )
    assert rows["protocol"].tolist() == ["corrected"]


def test_control_characters_in_a_clip_name_are_escaped():
    dataset = small_set(count=1)
    dataset.clip_id = lambda index: "a\rb\nc\x00.wav"
    rows = score(ten_classes(), dataset, ["saliency"], ["bin"], progress=False)
    assert rows["clip"].tolist() == ["a\\rb\\nc\\x00.wav"]
    assert written_and_read(rows)["clip"].tolist() == rows["clip"].tolist()


def test_the_recording_stands_after_the_clip():
    assert COLUMNS[1:3] == ("clip", "recording")
    rows = score(ten_classes(), small_set(count=1), ["saliency"], ["bin"], progress=False)
    assert tuple(rows.columns) == COLUMNS
    assert (rows["recording"] != "").all()


class Slow(ai.Saliency):
    name = "slow"

    def _attribute(self, score, db):
        time.sleep(0.2)
        return super()._attribute(score, db)


def test_seconds_are_those_of_each_method_alone():
    classifier, dataset = ten_classes(), small_set(count=1)
    loaded = ai.dataset.load_clip(dataset, 0)
    explainers = build_explainers([Slow, "saliency", "random"], classifier)
    plan = Plan(["bin"], nulls=[])
    seconds = {}
    for result in clip_rows(classifier, loaded, explainers, plan):
        seconds[result.method] = result.seconds
        # What the caller does between two methods is not counted.
        time.sleep(1.0)
    assert seconds["slow"] >= 0.2
    assert 0 < seconds["saliency"] < 1
    assert 0 < seconds["random"] < 1


def test_interpret_masks_each_distinct_part_once(classifier, monkeypatch):
    masked_parts = []
    masked = Spectrogram.masked

    def counted(self, mask, *arguments, **keywords):
        masked_parts.extend(mask)
        return masked(self, mask, *arguments, **keywords)

    monkeypatch.setattr(Spectrogram, "masked", counted)
    for on in ("features", "audio"):
        masked_parts.clear()
        interpret(classifier, noise(1.0), "saliency", "topK_30", on=on, compared=0)
        # The kept and the removed part; the verdict hears both, and the clip.
        assert len(masked_parts) == 2 + 3
    masked_parts.clear()
    everything = interpret(classifier, noise(1.0), "saliency", keep_everything, compared=0)
    assert len(masked_parts) == 2 + 3
    assert everything.removed.abs().max() == 0


def keep_everything(values):
    return torch.ones_like(values)


class Faulty(ai.Saliency):
    name = "faulty"

    def __init__(self, network):
        super().__init__(network)
        self.layer = network + 1


class Demanding(ai.Saliency):
    name = "demanding"

    def __init__(self, network, layer):
        super().__init__(network)


def test_an_explainer_raises_its_own_type_error(classifier):
    with pytest.raises(TypeError, match="unsupported operand"):
        build_explainer(Faulty, classifier)
    with pytest.raises(ArgumentError, match=r"Demanding takes more than a network.*'layer'"):
        build_explainer(Demanding, classifier)
    for wrong in (int, 3, lambda network: None):
        with pytest.raises(ArgumentError, match="a method is a name"):
            build_explainer(wrong, classifier)
    with pytest.raises(ArgumentError, match="give each by itself"):
        build_explainer(["gradcam", "saliency"], classifier)


class Unusable(ai.Saliency):
    name = "a/b"


def test_a_method_whose_name_cannot_name_a_folder_is_refused(classifier):
    with pytest.raises(ArgumentError, match="'a/b'"):
        build_explainers([Unusable], classifier)


def test_masks_of_ones_own(classifier):
    result = interpret(classifier, noise(1.0), "saliency", loud)
    values = result.attribution.values
    assert result.mask_name == "loud"
    assert result.mask.equal((values > values.mean()).float())
    dataset, ten = small_set(count=1), ten_classes()
    rows = score(ten, dataset, ["saliency"], ["bin", loud], progress=False)
    assert rows["mask"].tolist() == ["bin", "loud"]
    alone = score(ten, dataset, ["saliency"], ["bin"], progress=False)
    assert rows[:1][list(ai.METRICS)].to_numpy() == pytest.approx(
        alone[list(ai.METRICS)].to_numpy(), nan_ok=True, abs=1e-5
    )
    published = score(ten, dataset, ["saliency"], [loud], protocol="published", progress=False)
    assert published["mask"].tolist() == ["loud"]
    for wrong in (3, None, lambda values: values):
        with pytest.raises(ArgumentError):
            interpret(classifier, noise(1.0), "saliency", wrong)


def test_a_mask_of_ones_own_that_fails_is_a_row():
    def undefined(values):
        raise KeyError("no such band")

    rows = score(ten_classes(), small_set(count=1), ["saliency"], [undefined], progress=False)
    assert rows[["status", "stage", "error_type"]].values.tolist() == [
        ["error", "score", "KeyError"]
    ]
    assert rows["correct"].tolist() == [None]


def test_a_plan_as_plain_values():
    for plan in (Plan(), Plan(["bin"], "published", ["audio", "features"], [], True)):
        record = asdict(plan)
        as_lists = {
            name: list(value) if isinstance(value, tuple | list) else value
            for name, value in record.items()
        }
        assert plan.to_dict() == as_lists
        assert list(plan.to_dict()) == [
            *(
                "masks",
                "protocol",
                "on",
                "nulls",
                "curves",
                "target",
                "fills",
                "metrics",
                "reference",
                "optimize",
            )
        ]
    plan = Plan(["bin", loud, ai.MASKS["topK_30"]])
    assert plan.to_dict()["masks"] == ["bin", loud, "topK_30"]
    assert plan.mask_names == ("bin", "loud", "topK_30")
    described = fingerprint.described(plan.to_dict())
    assert described["masks"][0] == "bin"
    assert described["masks"][1]["function"].endswith("loud")


def test_two_masks_of_one_name_are_refused():
    def other():
        def loud(values):
            return values

        return loud

    with pytest.raises(ArgumentError, match="same name"):
        Plan([loud, other()])
    with pytest.raises(ArgumentError, match="different names"):
        Plan([loud, loud])
    with pytest.raises(ArgumentError, match="bin"):
        Plan(["bin", ai.MASKS["bin"]])


def test_a_protocol_of_ones_own(monkeypatch):
    own = ai.protocols.ScoringProtocol("own", {"loud": loud}, ai.METRICS)
    monkeypatch.setitem(ai.PROTOCOLS, "own", own)
    rows = score(
        ten_classes(), small_set(count=1), ["saliency"], ["loud"], protocol="own", progress=False
    )
    assert rows[["protocol", "mask", "status"]].values.tolist() == [["own", "loud", "ok"]]
    assert not math.isnan(rows["FF"][0])


def test_explainers_keep_their_classifier():
    with pytest.raises(ArgumentError, match="another network"):
        build_explainer(ai.Saliency(small_classifier().network), small_classifier())
