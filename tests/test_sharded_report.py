"""The page of a run in shards, also of one that does not fit into memory."""

import pandas as pd
import pytest
import torch
from conftest import small_classifier
from safetensors.torch import load_file

import audiointerp as ai
from audiointerp.cli.run_source import Place, open_source
from audiointerp.dataset import ManifestClips
from audiointerp.errors import ArgumentError
from audiointerp.experiments import own_experiment, run_shards

pytest.importorskip("pyarrow", reason="needs pyarrow (the extra scale)")


@pytest.fixture(scope="module")
def sharded(tmp_path_factory):
    """A run of a manifest in shards of three, with its attributions; of seven clips, one fails."""
    folder = tmp_path_factory.mktemp("sharded")
    generator = torch.Generator().manual_seed(1)
    lines = ["filename,label,recording"]
    for number, recording in enumerate("aabbcda"):
        wav = 0.1 * torch.randn(1, 1, 32000, generator=generator)
        ai.save_audio(folder / f"{number}.wav", wav, 16000)
        lines.append(f"{number}.wav,label{number % 3},{recording}")
    (folder / "4.wav").write_bytes(b"no sound")
    (folder / "clips.csv").write_text("\n".join(lines) + "\n")
    classifier = small_classifier(10, duration=2.0)
    classifier.save(folder / "own.safetensors")
    form = {"sample_rate": classifier.sample_rate, "duration": classifier.duration}
    clips = ManifestClips(folder / "clips.csv", labels=classifier.labels, **form)
    run_shards(
        own_experiment("own", classifier),
        classifier,
        clips,
        ["saliency", "gradcam"],
        folder / "results",
        masks=["bin", "topK_30"],
        nulls=["rolled"],
        shard_size=3,
        attributions=True,
        progress=False,
    )
    return folder


def open_sharded(folder, **options):
    classifier = ai.Classifier.load(folder / "own.safetensors")
    place = Place(None, None, None, None, None, str(folder / "clips.csv"))
    return open_source([folder / "results" / "mel" / "own"], classifier, place, **options)


def test_the_attributions_of_shards_are_shown_as_they_are(sharded):
    source = open_sharded(sharded, names=["5.wav", "[01].wav"])
    assert source.shown == [0, 1, 5]
    assert source.explainers == {}
    for (loaded, results), index in zip(source.explained(), source.shown, strict=True):
        assert loaded.name == f"{index}.wav"
        for result in results:
            (path,) = (source.methods[0].folder.parent / result.attribution.method).glob(
                f"shards/{index // 3 * 3:09d}-*.safetensors"
            )
            assert torch.equal(result.attribution.values, load_file(path)[f"{index:09d}.values"])
    # The clip that failed has no attribution, so the methods are made anew.
    assert set(open_sharded(sharded).explainers) == {"saliency", "gradcam"}


def numbers_of(texts):
    return [float(text or "nan") for text in texts]


def assert_nearly_equal(scores, expected):
    """Means of sums differ from means in memory by rounding; with made values, they do not."""
    assert (scores.lead, scores.beside) == (expected.lead, expected.beside)
    assert scores.everything[:2] == expected.everything[:2]
    for row, of_expected in zip(scores.everything[2], expected.everything[2], strict=True):
        assert row[:5] == of_expected[:5]
        numbers, expected_numbers = numbers_of(row[5:]), numbers_of(of_expected[5:])
        assert numbers == pytest.approx(expected_numbers, abs=1e-12, nan_ok=True)
    for line, other in zip(scores.differences, expected.differences, strict=True):
        assert (line.panel, line.row, line.group) == (other.panel, other.row, other.group)
        assert line.mean == pytest.approx(other.mean, abs=1e-12)


def test_a_run_that_does_not_fit_into_memory_has_the_same_page(sharded, monkeypatch):
    whole = open_sharded(sharded, labels=["label0"], most=2)
    monkeypatch.setattr("audiointerp.tables.result_parts.MOST_ROWS_IN_MEMORY", 10)
    streamed = open_sharded(sharded, labels=["label0"], most=2)
    assert whole.shown == streamed.shown == [0, 6]
    assert whole.parts == []
    assert len(streamed.parts) == 2 * 3
    assert_nearly_equal(streamed.scores, whole.scores)
    # Of the rows, those of the clips shown are in memory.
    assert sorted(set(streamed.rows["clip"])) == ["0.wav", "6.wav"]
    names = list(streamed.rows.columns[2:])
    of_shown = whole.rows[whole.rows["clip"].isin(["0.wav", "6.wav"])]
    pd.testing.assert_frame_equal(
        streamed.rows[names].sort_values(["method", "clip"], ignore_index=True),
        of_shown[names].sort_values(["method", "clip"], ignore_index=True),
    )
    assert set(streamed.rows["method"]) == {"gradcam", "saliency"}


def test_of_many_clips_a_few_are_shown_and_a_line_says_so(sharded, monkeypatch, capsys):
    monkeypatch.setattr("audiointerp.cli.shown_clips.MOST_SHOWN", 5)
    monkeypatch.setattr("audiointerp.cli.shown_clips.FEW", 2)
    assert open_sharded(sharded).shown == [1, 5]
    assert "7 clips: 2 of them are shown, evenly spaced; give --most" in capsys.readouterr().err
    assert open_sharded(sharded, most=7).shown == list(range(7))
    with pytest.raises(ArgumentError, match=r"leave none of 7 clips.*'0\.wav'"):
        open_sharded(sharded, names=["absent*"])
    with pytest.raises(ArgumentError, match="label 'label11'"):
        open_sharded(sharded, labels=["label11"])


def test_a_page_of_a_manifest_is_written_by_the_command(sharded, call, tmp_path):
    given = ("--weights", sharded / "own.safetensors", "--manifest", sharded / "clips.csv")
    run = sharded / "results" / "mel" / "own"
    done = call("report", run, *given, "--names", "2.wav,3.wav", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert "own: 2 clips, 2 methods" in text
    assert "the clips in clips.csv" in text
    done = call("report", run, *given, "--folds", "5")
    assert (done.returncode, "--folds is of --data" in done.stderr) == (1, True)
