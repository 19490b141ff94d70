"""Runs that are resumed or refused; errors that are rows."""

import json
import platform
import shutil
import signal

import pandas as pd
import pytest
from conftest import small_classifier
from survival import CLASSIFIER, Bursts, Counted, go, tables
from torch import nn

import audiointerp as ai
from audiointerp.errors import ArgumentError, AudioInterpError, Stopped
from audiointerp.experiments import fingerprint
from audiointerp.experiments.records import (
    ClipRecord,
    cells,
    csv_text,
    read_record,
    write_record,
)
from audiointerp.model.classifier import Classifier
from audiointerp.scoring.columns import COLUMNS, VALUES
from audiointerp.tables.results import read_results


class Watched(ai.Random):
    """A method that counts its clips."""

    seen = 0

    def _attribute(self, score, db):
        Watched.seen += 1
        return super()._attribute(score, db)


def test_what_is_there_is_not_computed_again(tmp_path, monkeypatch):
    monkeypatch.setattr(Watched, "seen", 0)
    first = go(tmp_path, methods=[Watched])
    assert Watched.seen == 6
    stamps = {
        path: path.stat().st_mtime_ns
        for path in tmp_path.rglob("*")
        if path.is_file() and ".lock" not in path.name
    }
    again = go(tmp_path, methods=[Watched])
    assert Watched.seen == 6
    assert stamps == {path: path.stat().st_mtime_ns for path in stamps}
    pd.testing.assert_frame_equal(first, again)
    go(tmp_path, methods=[Watched], resume=False)
    assert Watched.seen == 12
    (tmp_path / "mel" / "small" / "random" / "clips" / "00003.json").write_text("{")
    (
        tmp_path / "mel" / "small" / "random" / "attributions" / "00004 burst%2F4.wav.safetensors"
    ).unlink()
    go(tmp_path, methods=[Watched])
    # Clips 3 and 4, and clip 5, whose map is the null of clip 4.
    assert Watched.seen == 15


def test_errors_are_rows_and_are_tried_again(tmp_path, expected):
    clips = Counted(broken=[1, 4])
    rows = go(tmp_path / "run", clips)
    errors = rows[rows["status"] == "error"]
    assert errors["clip"].tolist() == ["burst/1.wav", "burst/4.wav"] * 2
    assert errors[["stage", "error_type", "error"]].drop_duplicates().to_numpy().tolist() == [
        ["read", "OSError", "burst 1 is broken"],
        ["read", "OSError", "burst 4 is broken"],
    ]
    assert len(rows) == 2 * (4 * 2 + 2)
    assert (
        json.loads((tmp_path / "run" / "mel" / "small" / "random" / "run.json").read_text())[
            "errors"
        ]
        == 2
    )
    clips.broken.clear()
    assert (go(tmp_path / "run", clips)["status"] == "ok").all()
    assert tables(tmp_path / "run") == expected


def test_a_method_and_a_score_that_fail_tell_their_stage(tmp_path):
    class Failing(ai.Random):
        name = "failing"

        def _attribute(self, score, db):
            raise RuntimeError("no\n  idea")

    class Infinite(nn.Module):
        def forward(self, db):
            logits = CLASSIFIER.network(db)
            # Explaining asks for two at most.
            return logits if len(db) <= 2 else logits / 0

    rows = go(tmp_path, methods=[Failing])
    assert set(zip(rows["stage"], rows["error_type"], rows["error"], strict=True)) == {
        ("explain", "RuntimeError", "no idea")
    }
    rows = go(
        tmp_path / "b",
        classifier=Classifier(Infinite(), ai.LogMel(), CLASSIFIER.labels, 0.3),
        methods=["random"],
    )
    assert set(zip(rows["stage"], rows["error_type"], strict=True)) == {("score", "ModelError")}


NETWORK = CLASSIFIER.network
OTHER_SETTINGS = {
    r"plan.masks: \['bin', 'topK_5'\] before, \['bin'\] now": {"masks": ["bin"]},
    r"plan.on: \['features'\] before, \['audio'\] now": {"on": "audio"},
    r"plan.nulls: \['pixelwise', .*… before, \['rolled'\] now": {"nulls": ["rolled"]},
    "clips: 6 before, 5 now; clip_names_sha256": {"clips": Bursts(5)},
    "network_sha256: '.*… before, '.*… now": {"classifier": small_classifier(seed=1, duration=0.3)},
    "duration: 0.3 before, 0.2 now": {
        "classifier": Classifier(NETWORK, ai.LogMel(), CLASSIFIER.labels, 0.2)
    },
    "output: 'softmax' before, 'sigmoid' now": {
        "classifier": Classifier(NETWORK, ai.LogMel(), CLASSIFIER.labels, 0.3, output="sigmoid")
    },
    "transform.f_min: 50.0 before, 60.0 now": {
        "classifier": Classifier(NETWORK, ai.LogMel(f_min=60.0), CLASSIFIER.labels, 0.3)
    },
    "explainer.seed: 0 before, 1 now": {"methods": [ai.Random(NETWORK, seed=1)]},
}


@pytest.mark.parametrize("difference", OTHER_SETTINGS)
def test_other_settings_are_refused_by_name(tmp_path, difference):
    settings = {"methods": ["random"], **OTHER_SETTINGS[difference]}
    go(tmp_path, methods=["random"])
    before = tables(tmp_path)
    with pytest.raises(
        ArgumentError, match=rf"holds results of other settings \(.*{difference}.*--no-resume"
    ):
        go(tmp_path, **settings)
    assert tables(tmp_path) == before
    go(tmp_path, **settings, resume=False)
    assert tables(tmp_path) != before


def test_what_results_depend_on(tmp_path):
    go(tmp_path, methods=["random"])
    path = tmp_path / "mel" / "small" / "random" / "clips" / "fingerprint.json"
    settings = json.loads(path.read_text())
    assert settings.pop("environment")["python"]
    assert set(settings) == {
        "experiment",
        "noise",
        "transform",
        "output",
        "plan",
        "labels",
        "duration",
        "network_sha256",
        "model",
        "clips",
        "clip_names_sha256",
        "versions",
        "device",
        "explainer",
    }
    for name in settings:
        path.write_text(json.dumps(settings | {name: "other"}))
        with pytest.raises(ArgumentError, match=f"{name}: 'other' before"):
            go(tmp_path, methods=["random"])


def test_records_of_other_settings_are_refused(tmp_path):
    """Two machines' shards in one folder, or a settings file that is gone."""
    go(tmp_path / "a", shard=(1, 2), methods=["random"])
    go(tmp_path / "b", shard=(2, 2), methods=["random"], masks=["topK_5"])
    shutil.copytree(tmp_path / "b", tmp_path / "a", dirs_exist_ok=True)
    with pytest.raises(AudioInterpError, match="other settings"):
        go(tmp_path / "a", methods=["random"])
    (tmp_path / "a" / "mel" / "small" / "random" / "clips" / "fingerprint.json").unlink()
    with pytest.raises(
        AudioInterpError, match=r"clips.0000.\.json: was computed with other settings"
    ):
        go(tmp_path / "a", methods=["random"])


def test_a_damaged_record_is_computed_again(tmp_path, expected):
    row = ["random", "burst/2.wav"]
    for change in (
        {"rows": None},
        {"rows": [["x", "y"]]},
        {"rows": [row]},
        {"seconds": "a"},
        {"x": 1},
    ):
        go(tmp_path / "run")
        path = next((tmp_path / "run").rglob("clips/00002.json"))
        path.write_text(json.dumps(json.loads(path.read_text()) | change))
        go(tmp_path / "run")
        assert tables(tmp_path / "run") == expected
    other = path.with_name("00003.json")
    path.write_text(other.read_text())
    go(tmp_path / "run")
    assert tables(tmp_path / "run") == expected


def test_good_rows_are_not_replaced_by_an_error(tmp_path, expected):
    out = tmp_path / "run"
    go(out, attributions=False)
    with pytest.warns(UserWarning, match=r"burst/2.wav cannot be read now \(burst 2 is broken\)"):
        go(out, Counted(broken=[2]), attributions=False)

    class Failing(ai.Random):
        def _attribute(self, score, db):
            raise MemoryError

    Failing.__name__ = "Random"
    go(out, methods=[Failing])
    assert tables(out) == expected
    go(out, methods=["random"])
    assert len(list(out.rglob("random/attributions/*"))) == 6


def test_starting_anew_leaves_no_earlier_table(tmp_path):
    go(tmp_path)
    with pytest.raises(Stopped):
        go(
            tmp_path,
            Counted(at={2: lambda: signal.raise_signal(signal.SIGINT)}),
            masks=["bin"],
            resume=False,
        )
    assert tables(tmp_path) == [None, None]


def test_temporary_files_of_a_killed_run_are_replaced(tmp_path, expected):
    folder = tmp_path / "run" / "mel" / "small" / "random"
    for name in (
        "clips/.fingerprint.partial.json",
        "clips/.00002.partial.json",
        "attributions/.00002 burst%2F2.wav.partial.safetensors",
        ".metrics.partial.csv",
        ".run.partial.json",
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("half")
    go(tmp_path / "run")
    assert not list((tmp_path / "run").rglob(".*.partial*"))
    assert tables(tmp_path / "run") == expected


def test_names_of_any_kind(tmp_path):
    class Named(Bursts):
        def clip_id(self, index):
            return f"{'ж' * 80}{index}/d\udce9.wav"

        def __getitem__(self, index):
            if index == 1:
                raise OSError("no such file: d\udce9")
            return super().__getitem__(index)

    rows = go(tmp_path, Named(2))
    assert rows["status"].tolist() == ["ok", "ok", "error", "ok", "ok", "error"]
    assert set(rows["clip"].str[-9:]) == {r"/d\udce9.wav"[-9:]}


class Louder(Counted):
    """Clips of which the fourth has another sound; some cannot be read."""

    def __getitem__(self, index):
        wav, target = super().__getitem__(index)
        return wav * (2 if index == 3 else 1), target


def test_a_clip_that_becomes_unreadable_does_not_separate_the_methods(tmp_path):
    go(tmp_path, methods=["random"])
    with pytest.warns(UserWarning, match=r"burst/2.wav cannot be read now"):
        go(tmp_path, Counted(broken=[2]), methods=["random", "saliency"])
    rows = read_results(tmp_path)
    assert rows[rows["status"] == "error"][["method", "clip"]].to_numpy().tolist() == [
        ["saliency", "burst/2.wav"]
    ]
    folder = tmp_path / "mel" / "small"
    whole, partial = (
        json.loads((folder / name / "run.json").read_text()) for name in ("random", "saliency")
    )
    assert (whole["unread_clips"], partial["unread_clips"]) == ([], ["burst/2.wav"])
    assert whole["clips_sha256"] != partial["clips_sha256"]


@pytest.mark.parametrize("broken", [[], [2]])
def test_methods_on_other_sounds_are_not_put_into_one_table(tmp_path, broken):
    """Also if the first method of the folder read other clips than these two."""
    go(tmp_path, Counted(broken=[5]), methods=["gradcam"])
    go(tmp_path, Counted(broken), methods=["random"])
    read_results(tmp_path)
    go(tmp_path, Louder(broken), methods=["saliency"])
    with pytest.raises(AudioInterpError, match=r"saliency.*differs from .* in clips_sha256"):
        read_results(tmp_path)


def test_a_record_of_an_older_version_without_errors_is_compared(tmp_path):
    go(tmp_path, methods=["random"])
    path = tmp_path / "mel" / "small" / "random" / "run.json"
    record = json.loads(path.read_text())
    del record["unread_clips"]
    path.write_text(json.dumps(record))
    go(tmp_path, Louder(), methods=["saliency"])
    with pytest.raises(AudioInterpError, match="in clips_sha256"):
        read_results(tmp_path)


def test_another_sound_under_the_same_name_is_refused(tmp_path):
    go(tmp_path)
    with pytest.raises(AudioInterpError, match=r"burst/3.wav is no longer the same sound"):
        go(tmp_path, Louder())


def test_another_python_is_a_warning_and_another_torch_is_refused(tmp_path, monkeypatch):
    go(tmp_path, methods=["random"])
    before = tables(tmp_path)
    monkeypatch.setattr(platform, "python_version", lambda: "3.12.99")
    with pytest.warns(UserWarning, match=r"environment \(python: '3\..*' before, '3.12.99'"):
        go(tmp_path, methods=["random"])
    assert tables(tmp_path) == before
    monkeypatch.setattr(fingerprint, "version", lambda name: "9.9")
    with pytest.raises(ArgumentError, match=r"versions.torch: '.*' before, '9.9' now"):
        go(tmp_path, methods=["random"])


def test_the_record_of_a_finished_run_is_compared(tmp_path):
    """The clips' records may be deleted: run.json beside the table says what it was."""
    go(tmp_path, methods=["random"])
    before = tables(tmp_path)
    shutil.rmtree(tmp_path / "mel" / "small" / "random" / "clips")
    with pytest.raises(ArgumentError, match=r"plan.protocol: 'corrected' before, 'published' now"):
        go(tmp_path, methods=["random"], protocol="published")
    go(tmp_path, methods=["random"])
    assert tables(tmp_path) == before


def test_a_record_gives_the_bytes_that_pandas_writes(tmp_path):
    """Numbers to the last digit, undefined and infinite ones, text that CSV must quote."""
    values = [0.1, 1e-7, 1e16, 1.0, -0.0, 5e-324, float("nan"), float("inf"), float("-inf")]
    row = dict.fromkeys(COLUMNS, "") | {"method": "random", "clip": "a.wav", "status": "ok"}
    row |= dict(zip(VALUES, values, strict=False)) | {"correct": True, "batch": 28}
    rows = [row, row | {"error": 'a "quoted", long\nreason', "correct": False}]
    record = ClipRecord("f0", "c0", "ok", 1.0, 1, [cells(row) for row in rows])
    write_record(tmp_path / "a.json", record)
    kept = read_record(tmp_path / "a.json", "random", "a.wav")
    assert kept == record
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    expected = frame.to_csv(index=False, lineterminator="\n")
    assert csv_text([COLUMNS, *kept.rows]) == expected


def test_the_code_of_a_mask_of_ones_own_counts(tmp_path):
    def louder(values):
        return (values > 0).to(values)

    first = go(tmp_path, methods=["random"], masks=["bin", louder])
    assert first["mask"].unique().tolist() == ["bin", "louder"]

    def louder(values):
        return (values > 1).to(values)

    with pytest.raises(ArgumentError, match=r"plan\.masks\[1\]\.sha256: .* before"):
        go(tmp_path, methods=["random"], masks=["bin", louder])


def test_another_recording_is_refused(tmp_path):
    class Corrected(Bursts):
        def recording(self, index):
            return "day 1"

    go(tmp_path)
    with pytest.raises(AudioInterpError, match=r"is now of 'day 1', and intervals are over"):
        go(tmp_path, Corrected())
