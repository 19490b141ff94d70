"""Data, files and settings that are not what they seem are refused by name."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from conftest import small_classifier, small_set, ten_classes

import audiointerp as ai
from audiointerp import scoring
from audiointerp.dataset import LabelledClips, ManifestClips
from audiointerp.errors import (
    ArgumentError,
    AudioInterpError,
    AudioWarning,
    DatasetError,
    ModelError,
)
from audiointerp.events import Event, event_agreement, read_events, write_events
from audiointerp.experiments import run, run_shards
from audiointerp.metrics import evaluate
from audiointerp.paper.measured_rows import Progress
from audiointerp.scoring.curves import curves
from audiointerp.tables import read_answers, read_results

FEW = {"masks": ["bin"], "progress": False}


def test_clips_of_another_rate_are_no_reference():
    """Their embeddings are those of sounds that the network never gets."""
    classifier, slow = ten_classes(), small_set(rate=16000, count=6)
    with pytest.raises(ArgumentError, match="16000 Hz, the classifier takes 32000 Hz"):
        scoring.ood_reference(classifier, slow, small_set())
    with pytest.raises(ArgumentError, match="a str is no data set"):
        scoring.ood_reference(classifier, "folder", small_set())
    with pytest.raises(ArgumentError, match="give what ood_reference"):
        ai.score(classifier, small_set(), ["random"], reference=(slow, slow), **FEW)
    with pytest.raises(ArgumentError, match="give what ood_reference"):
        run("own", classifier, small_set(), ["random"], "nowhere", reference=1, **FEW)


def test_a_generator_of_methods_is_not_used_up_by_its_check(tmp_path):
    classifier, clips = ten_classes(), small_set(count=1)
    rows = ai.score(classifier, clips, (name for name in ["random"]), **FEW)
    assert rows["method"].tolist() == ["random"]
    rows = run("own", classifier, clips, (name for name in ["random"]), tmp_path, **FEW)
    assert set(rows["method"]) == {"random"}
    with pytest.raises(ArgumentError, match="a list, e"):
        scoring.LocalisationPlan(weights=(name for name in ["none"]))


def test_columns_of_a_table_are_not_taken_by_their_place():
    labels, wav = ["a", "b"], torch.randn(8000)
    form = {
        "sample_rate": 8000,
        "duration": 1.0,
        "output": "probabilities",
        "normalize": "none",
    }

    def predict(wavs):
        return pd.DataFrame({"b": [0.9] * len(wavs), "a": [0.1] * len(wavs)})

    with pytest.raises(ModelError, match=r"a table with the columns b, a, whose order"):
        ai.interpret(ai.Classifier.from_function(predict, labels, **form), wav, "random")

    def in_order(wavs):
        return predict(wavs)[labels].to_numpy()

    model = ai.Classifier.from_function(in_order, labels, **form)
    assert ai.interpret(model, wav, "random").predicted == "b"


def test_runs_of_both_kinds_do_not_share_a_folder(tmp_path):
    given = ("own", ten_classes(), small_set(count=1), ["random"])
    run_shards(*given, tmp_path / "a", **FEW)
    with pytest.raises(ArgumentError, match=r"results of run_shards \(shards"):
        run(*given, tmp_path / "a", **FEW)
    run(*given, tmp_path / "b", **FEW)
    with pytest.raises(ArgumentError, match=r"results of run \(clips"):
        run_shards(*given, tmp_path / "b", **FEW)
    for folder in ("a", "b"):
        assert len(read_results(tmp_path / folder)) == 4
    # Without the earlier results, each may write where the other did.
    run(*given, tmp_path / "a", resume=False, **FEW)
    run_shards(*given, tmp_path / "b", resume=False, **FEW)
    for folder in ("a", "b"):
        assert len(read_results(tmp_path / folder)) == 4


def test_a_damaged_record_of_a_run_is_named(tmp_path):
    run("own", ten_classes(), small_set(count=2), ["random"], tmp_path, **FEW)
    table = tmp_path / "mel/own/random/metrics.csv"
    table.write_text("\n".join(table.read_text().splitlines()[:2]) + "\n")
    with pytest.raises(AudioInterpError, match="truncated copy or killed run"):
        read_results(tmp_path)
    for content in ("", "{", "[]"):
        table.with_name("run.json").write_text(content)
        with pytest.raises(AudioInterpError, match=r"run\.json: is damaged"):
            read_results(tmp_path)


def test_rates_in_kilohertz_and_windows_in_milliseconds_are_told(tmp_path):
    (tmp_path / "clips.csv").write_text("filename,label\na.wav,dog\n")
    for opened in (ManifestClips, ai.as_dataset):
        with pytest.warns(AudioWarning, match="if kHz are meant, give 32000"):
            opened(tmp_path / "clips.csv", sample_rate=32)
        with pytest.raises(ArgumentError, match=r"duration='3'"):
            opened(tmp_path / "clips.csv", sample_rate=32000, duration="3")
    network = small_classifier().network
    with pytest.raises(ArgumentError, match="in seconds, not in samples or milliseconds"):
        ai.Classifier(network, ai.LogMel(), ["a", "b", "c"], duration=3000)
    # An hour of infrasound has as many samples as half a minute of sound.
    slow = ai.LogMel(100, n_fft=64, hop_length=32, n_mels=8, f_min=0.0, f_max=50.0)
    hour = ai.Classifier(torch.nn.Flatten(), slow, ["a", "b"], duration=3600)
    assert hour.window_length == 360_000


def test_sources_of_another_length_are_error_rows():
    class Wrong(type(small_set())):
        def __getitem__(self, index):
            return torch.randn(1, 32000), 0

        def parts(self, index):
            return torch.zeros(1, 1, 9600), torch.ones(1, 1, 9600)

    rows = scoring.localise(
        ten_classes(), small_set(Wrong, count=1), ["saliency"], min_p=0.0, progress=False
    )
    assert set(rows["status"]) == {"error"}
    assert rows["error"].str.contains("give each source as it lies in the clip").all()


def test_damaged_rows_of_a_comparison_are_named_and_kept(tmp_path):
    path = tmp_path / "rows.jsonl"
    progress = Progress(path, {"seed": 0})
    method = ai.Random(torch.nn.Identity())
    for name in "ab":
        progress.add(name, [method], [{"method": "random", "status": "ok"}])
    whole = path.read_text()
    # Cut off in the last line, as by a full disk: the others are kept.
    path.write_text(whole[:-5])
    assert Progress(path, {"seed": 0}).rows_of("a", method)
    assert path.read_text() == "".join(whole.splitlines(keepends=True)[:2])
    for damaged, message in (
        ("", "is damaged"),
        (whole.splitlines()[0], "is damaged"),
        (whole.replace('"status": "ok"', '"state": "ok"', 1), "line 2: is damaged"),
        (whole.replace('["a"', '["a', 1), "line 2: is damaged"),
        (whole.replace(whole.splitlines()[1], "[]"), "line 2: is damaged"),
        ("\n" + whole, "measured with other settings, or is damaged"),
    ):
        path.write_text(damaged)
        with pytest.raises(AudioInterpError, match=message):
            Progress(path, {"seed": 0})
        assert path.read_text() == damaged
    path.write_bytes(b"\xff\xfe" + whole.encode())
    with pytest.raises(AudioInterpError, match="cannot be read"):
        Progress(path, {"seed": 0})


def test_events_hold_plain_numbers_and_labels(tmp_path):
    event = Event(torch.tensor(0.5), np.float32(1.0), "dog", np.float64(0.5))
    for ending in ("csv", "json"):
        write_events(tmp_path / f"a.{ending}", [event])
        assert read_events(tmp_path / f"a.{ending}") == [Event(0.5, 1.0, "dog", 0.5)]
    (tmp_path / "spaces.csv").write_text("start, end, label\n0.5, 1, dog\n")
    assert read_events(tmp_path / "spaces.csv") == [Event(0.5, 1.0, "dog")]
    (tmp_path / "rows.csv").write_text("start,end,label,p\n0.5, 1, dog, 0.5\n")
    assert read_events(tmp_path / "rows.csv") == [Event(0.5, 1.0, "dog", 0.5)]
    for label in (" dog", " 5", " nan", " label"):
        spaced = [Event(0.5, 1.0, label, 0.5)]
        write_events(tmp_path / "b.csv", spaced)
        assert read_events(tmp_path / "b.csv") == spaced
    with pytest.raises(ArgumentError, match="two finite numbers"):
        Event(np.array([1.0, 2.0]), 3.0, "dog")
    with pytest.raises(ArgumentError, match="at most 1"):
        event_agreement([event], [event], least_iou=50)


def test_networks_on_other_grids_have_no_agreement():
    labels, network = ["a", "b", "c"], small_classifier().network
    pair = [ai.Classifier(network, ai.LogMel(f_max=top), labels, 1.0) for top in (14000.0, 8000.0)]
    wav = torch.randn(1, 1, 32000)
    values = torch.zeros(1, 1, 64, 101)
    with pytest.raises(ArgumentError, match="needs the same grid"):
        scoring.network_agreement(pair, wav, ai.Random(network), 0, values)


def test_labels_have_an_order_and_no_twins(tmp_path):
    table = tmp_path / "clips.csv"
    table.write_text("filename,label\na.wav,dog\nb.wav,cat\n")
    for opened in (ManifestClips, LabelledClips.from_csv):
        assert opened(table, labels=(name for name in ["dog", "cat"])).labels == ("dog", "cat")
        assert opened(table, labels={"dog": 0, "cat": 1}.keys()).labels == ("dog", "cat")
        for wrong in ({"dog", "cat"}, ["dog", "cat", "dog"]):
            with pytest.raises(DatasetError, match="a list of different names in the order"):
                opened(table, labels=wrong)
    several = pa.table({"filename": ["a.wav"], "labels": [["siren", "rain"]]})
    pq.write_table(several, tmp_path / "clips.parquet")
    with pytest.raises(DatasetError, match=r"\.parquet: a cell of column 'labels' holds a list"):
        ManifestClips(tmp_path / "clips.parquet")


def test_an_empty_sheet_of_answers_is_named(tmp_path):
    for content in ("", "\n\n"):
        (tmp_path / "answers.csv").write_text(content)
        with pytest.raises(AudioInterpError, match=r"answers\.csv: cannot be read as a table"):
            read_answers([tmp_path / "answers.csv"], tmp_path / "answers.csv")


def test_scores_are_of_probabilities():
    p, target, mask = torch.tensor([[0.25, 0.75]]), torch.tensor([1]), torch.ones(1, 1, 2, 2)
    for wrong in (100 * p, p - 1):
        with pytest.raises(ValueError, match=r"give probabilities in \[0, 1\], not percents"):
            evaluate(p, wrong, p, target, mask)
    with pytest.raises(ValueError, match=r"give \(N, 1, F, T\)"):
        evaluate(p, p, p, target, mask[0, 0])


def test_a_map_with_nan_has_no_rank_correlation():
    first, second = torch.tensor([1.0, torch.nan, 3.0]), torch.tensor([1.0, 2.0, 3.0])
    assert np.isnan(scoring.rank_correlation(first, second))


def test_numbers_as_text_are_refused(tmp_path):
    classifier, clips = ten_classes(), small_set(count=2)
    wav, event = torch.randn(64000), Event(0.5, 1.0, "label0")
    clip = classifier.transform(wav[None, None])
    explained = ai.Random(classifier.network)(clip.db)
    scan = ai.scan(classifier, wav, progress=False)
    for mistaken, message in (
        (lambda: ai.detect(scan, "0.5"), "'0.5' is no probability"),
        (lambda: ai.detect(scan, hold="1"), "hold='1'"),
        (lambda: ai.detect(scan, merge="1"), "merge='1'"),
        (lambda: ai.Mixtures(clips, 2.5), r"number=2\.5: must be a whole number"),
        (lambda: ai.Mixtures(clips, 1, "5"), "ratio_db='5'"),
        (lambda: scoring.LocalisationPlan(min_p="0.3"), "min_p='0.3'"),
        (lambda: ai.explain_events(classifier, wav, [event], keep="0.5"), "keep='0.5'"),
        (
            lambda: curves(classifier, clip, explained.target, explained.values, steps="4"),
            "steps='4': must be a whole number",
        ),
        (
            lambda: curves(classifier, clip, torch.tensor([-1]), explained.values),
            "the classes are 0 to 9",
        ),
        (
            lambda: run_shards("own", classifier, clips, ["random"], tmp_path, shard="1/2"),
            "shard='1/2': give a pair",
        ),
        (
            lambda: run("own", classifier, clips, ["random"], tmp_path, shard="1/2"),
            "shard='1/2': give a pair",
        ),
        (
            lambda: run_shards("own", classifier, clips, ["random"], tmp_path, engine="local"),
            "engine='local': give local_engine",
        ),
        (
            lambda: ai.score(classifier, clips, ["random"], metrics=evaluate),
            "give each a name",
        ),
        (lambda: write_events(tmp_path / "a.csv", [1.5]), "a float is no Event"),
    ):
        with pytest.raises(ArgumentError, match=message):
            mistaken()
    write_events(tmp_path / "one.csv", event)
    assert read_events(tmp_path / "one.csv") == [event]
    agreement = event_agreement((each for each in [event]), (each for each in [event]))
    assert agreement.f1 == 1


MISTAKES = {
    "a page over rows": (
        ["localise", "--weights", "synthetic-mel", "--out", "results/localisation.jsonl"],
        "give a file that ends in .md",
    ),
    "a page over figures": (["sanity", "--out", "sanity.csv"], "give a file that ends in .md"),
    "a folder for a page": (
        ["localise", "--weights", "synthetic-mel", "--out", "."],
        "is a folder; give a file",
    ),
    "other features": (
        ["crossval", "mel_clean", "--transform", "stft"],
        "mel_clean is on mel features; leave it out",
    ),
    "no such place": (["crossval", "mel_clean", "--on", "sound"], "unknown on 'sound'"),
    "an unknown fill": (["crossval", "mel_clean", "--fill", "snow"], "unknown fill 'snow'"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_at_the_command_line_is_one_line(call, tmp_path, mistake):
    arguments, message = MISTAKES[mistake]
    done = call(*arguments, place=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert message in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_results_are_not_replaced_by_their_means(call, tmp_path):
    run("own", ten_classes(), small_set(count=1), ["random"], tmp_path / "results", **FEW)
    table = tmp_path / "results/mel/own/random/metrics.csv"
    before = table.read_bytes()
    done = call("tables", tmp_path / "results", "--by", "method", "--out", table)
    assert (done.returncode, table.read_bytes()) == (1, before)
    assert "results are in this file" in done.stderr


@pytest.mark.parametrize("content", [b"", b"clip\n", b"\xff\xfe\x00", b"a,b\n1,2,3,4\n"])
def test_damaged_rows_of_the_checks_are_named(call, tmp_path, content):
    (tmp_path / "rows.csv").write_bytes(content)
    done = call("sanity", "--rows", "rows.csv", "--out", "page.md", place=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "--rows rows.csv: " in done.stderr
