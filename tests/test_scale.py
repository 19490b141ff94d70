"""Runs in shards: the same rows as a run of one machine, whatever is killed on the way."""

import re
from itertools import chain
from pathlib import Path

import pandas as pd
import pytest
import torch
from conftest import small_classifier, ten_classes
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from sharding import METHODS, OWN, PLAN, assert_same, expected, form, in_shards, manifest

from audiointerp.cli.run_summary import print_shards
from audiointerp.dataset import ManifestClips, Selection
from audiointerp.errors import ArgumentError, AudioInterpError
from audiointerp.experiments import Experiment, local_engine, plan_shards, run_shards
from audiointerp.predict import score
from audiointerp.processing import save_audio
from audiointerp.tables import read_results, read_runs

__all__ = ["expected", "manifest"]
pytest.importorskip("pyarrow", reason="needs pyarrow (the extra scale)")


@pytest.mark.parametrize(("size", "workers"), [(1, 1), (3, 1), (100, 1), (2, 2)])
def test_shards_have_the_rows_of_a_run_byte_for_byte(manifest, expected, tmp_path, size, workers):
    done = in_shards(manifest, tmp_path, shard_size=size, engine=local_engine(workers))
    assert done.is_complete
    assert done.shards == -(-7 // size)
    assert done.errors == {"saliency": 1, "random": 1}
    assert_same(Path(done.folder), expected)


def test_a_parquet_manifest_gives_the_same_rows(manifest, expected, tmp_path):
    table = pd.read_csv(manifest)
    copy = manifest.with_suffix(".parquet")
    table.to_parquet(copy, row_group_size=2)
    done = in_shards(copy, tmp_path, shard_size=4)
    assert_same(Path(done.folder), expected)


def test_parts_of_the_shards_merge_to_the_same_result(manifest, expected, tmp_path):
    for number in (3, 1):
        done = in_shards(manifest, tmp_path, shard_size=2, shard=(number, 3))
        assert not done.is_complete
    assert not list(tmp_path.rglob("run.json"))
    with pytest.raises(AudioInterpError, match="not finished"):
        read_results(tmp_path)
    done = in_shards(manifest, tmp_path, shard_size=2, shard=(2, 3))
    assert_same(Path(done.folder), expected)


def test_a_second_call_computes_what_is_missing_alone(manifest, expected, tmp_path, monkeypatch):
    folder = Path(in_shards(manifest, tmp_path, shard_size=2, attributions=True).folder)
    files = sorted(folder.rglob("shards/*"))
    # Two methods, four shards, rows and attributions.
    assert len(files) == 16
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in files}
    lost = {files[2], files[9]}
    for path in lost:
        path.unlink()
    in_shards(manifest, tmp_path, shard_size=2, attributions=True)
    again = {path for path in files if path.stat().st_mtime_ns != before[path][0]}
    # The rows come with their attributions, and the other way round.
    stems = {path.with_suffix("") for path in lost}
    assert again == {path for path in files if path.with_suffix("") in stems}
    assert_same(folder, expected)
    for path in again:
        if path.suffix == ".safetensors":
            assert path.read_bytes() == before[path][1]


def test_score_by_an_engine_has_the_rows_of_this_process(manifest, monkeypatch):
    monkeypatch.setattr("audiointerp.experiments.gathered.PIECE", 3)
    classifier, settings = form()
    clips = ManifestClips(manifest, **settings)
    options = {"masks": ["bin", "minmax"], "nulls": ["other"], "target": "label"}
    told = []
    here = score(classifier, clips, METHODS, progress=False, **options)
    for workers in (1, 2):
        by_engine = score(
            classifier,
            clips,
            METHODS,
            engine=local_engine(workers),
            progress=lambda done, total: told.append((done, total)),
            **options,
        )
        pd.testing.assert_frame_equal(by_engine, here, check_exact=True)
    assert told[-1] == (7, 7)
    assert (here["status"] == "error").any()


def test_attributions_are_those_of_a_run(manifest, expected, tmp_path):
    folder = Path(in_shards(manifest, tmp_path, shard_size=3, attributions=True).folder)
    kept = {}
    for path in (folder / "saliency" / "shards").glob("*.safetensors"):
        kept |= load_file(path)
    files = sorted((expected / "saliency" / "attributions").glob("*.safetensors"))
    assert len(files) == 6
    assert len(kept) == 3 * len(files)
    for path in files:
        number = int(path.name[:5])
        for name, tensor in load_file(path).items():
            assert torch.equal(kept[f"{number:09d}.{name}"], tensor)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"masks": ["minmax"]}, r"other settings \(plan.masks: .*'bin'.* before"),
        ({"shard_size": 3}, "another division"),
        ({"shard_size": 0}, "shard_size=0"),
        ({"shard": (5, 4)}, "shard 5/4"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(manifest, finished, options, message):
    with pytest.raises(ArgumentError, match=message):
        in_shards(manifest, finished, **({"shard_size": 4} | options))


@pytest.fixture(scope="module")
def finished(manifest, tmp_path_factory):
    out = tmp_path_factory.mktemp("finished")
    in_shards(manifest, out, shard_size=4)
    return out


def test_a_changed_manifest_is_another_setting(manifest, finished, tmp_path):
    # One label alone, which the names do not show.
    text = manifest.read_text()
    changed = manifest.with_name("changed.csv")
    changed.write_text(text.replace("label2", "label4"))
    with pytest.raises(ArgumentError, match=r"other settings \(manifest_sha256"):
        in_shards(changed, finished, shard_size=4)


def test_sounds_that_are_read_otherwise_are_another_setting(manifest, tmp_path):
    """Shards that are finished are not read again, so the settings must say it."""
    part = {"shard_size": 2, "shard": (1, 3)}
    classifier, settings = form()
    loud = ManifestClips(manifest, **settings)
    run_shards(OWN, classifier, loud, METHODS, tmp_path, **PLAN, **part)
    kept = ManifestClips(manifest, **settings, normalize="none")
    classifier.normalize = "none"
    with pytest.raises(ArgumentError, match=r"sounds.normalize: 'peak' before, 'none' now"):
        run_shards(OWN, classifier, kept, METHODS, tmp_path, **PLAN, **part)
    longer = ManifestClips(manifest, **(settings | {"duration": 1.0}))
    selected = Selection(longer, range(7))
    classifier.normalize = "peak"
    with pytest.raises(ArgumentError, match=r"sounds.duration: 0.5 before, 1.0 now"):
        run_shards(OWN, classifier, selected, METHODS, tmp_path, **PLAN, **part)


def test_another_noise_of_the_same_name_is_another_setting(manifest, tmp_path):
    classifier, settings = form()
    clips = ManifestClips(manifest, **settings)
    street = Experiment("street", "mel", noise="white")
    for seed, folder in enumerate("ab"):
        (tmp_path / folder).mkdir()
        wav = torch.randn(1, 1, 8000, generator=torch.Generator().manual_seed(seed))
        save_audio(tmp_path / folder / "noise.wav", 0.1 * wav, 16000)

    def go(folder, part):
        options = {"noise": tmp_path / folder / "noise.wav", "shard_size": 2, "shard": (part, 3)}
        run_shards(street, classifier, clips, METHODS, tmp_path / "out", **PLAN, **options)

    go("a", 1)
    with pytest.raises(ArgumentError, match=r"sounds.noise_sha256: '\w+.* before, '\w+.* now"):
        go("b", 2)
    go("a", 2)


def test_a_part_does_not_delete_the_other_parts(manifest, tmp_path):
    in_shards(manifest, tmp_path, shard_size=2, shard=(1, 2))
    files = sorted(tmp_path.rglob("*.parquet"))
    with pytest.raises(ArgumentError, match="would delete the results of the other"):
        in_shards(manifest, tmp_path, shard_size=2, shard=(2, 2), resume=False)
    assert sorted(tmp_path.rglob("*.parquet")) == files
    assert in_shards(manifest, tmp_path, shard_size=2, resume=False).is_complete


def test_a_part_says_what_failed_in_it(manifest, tmp_path):
    """The fifth of the seven clips cannot be read."""
    first = in_shards(manifest, tmp_path, shard_size=4, shard=(1, 2))
    assert (first.is_complete, set(first.errors.values())) == (False, {0})
    (tmp_path / "other").mkdir()
    second = in_shards(manifest, tmp_path / "other", shard_size=4, shard=(2, 2))
    assert (second.is_complete, set(second.errors.values())) == (False, {1})
    with pytest.raises(AudioInterpError, match="failed on 1 clips"):
        print_shards(second, max_errors=0)
    print_shards(second, max_errors=1)
    print_shards(first, max_errors=0)


def test_tables_read_shards_as_they_read_a_run(expected, finished):
    of_run = read_results(expected.parents[1])
    pd.testing.assert_frame_equal(read_results(finished), of_run)
    methods = [finished / "mel" / "own" / method for method in sorted(METHODS)]
    pd.testing.assert_frame_equal(read_runs(methods), of_run)


def test_a_damaged_shard_is_named(manifest, tmp_path):
    folder = Path(in_shards(manifest, tmp_path, shard_size=4).folder)
    path = sorted(folder.rglob("*.parquet"))[0]
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(AudioInterpError, match=re.escape(path.name)):
        in_shards(manifest, tmp_path, shard_size=4)
    path.unlink()
    assert in_shards(manifest, tmp_path, shard_size=4).is_complete


@given(st.integers(1, 500), st.integers(1, 60), st.integers(1, 9))
def test_parts_of_a_plan_have_each_clip_once(clips, size, parts):
    shards = plan_shards(clips, size)
    assert [index for shard in shards for index in shard.clips] == list(range(clips))
    assert all(len(shard.clips) == size for shard in shards[:-1])
    parts = min(parts, len(shards))
    divided = [plan_shards(clips, size, (number, parts)) for number in range(1, parts + 1)]
    assert sorted(chain(*divided), key=lambda shard: shard.start) == shards


def test_the_command_line_runs_a_manifest(manifest, tmp_path, call):
    classifier = ten_classes()
    classifier.save(tmp_path / "mel.safetensors")
    options = ("--methods", "random", "--masks", "bin", "--on", "features", "--fill", "silence")
    arguments = ("run", "own", "--manifest", manifest, "--weights", tmp_path / "mel.safetensors")
    done = call(
        *arguments, *options, "--shard-size", 4, "--out", tmp_path / "out", "--nulls", "none"
    )
    assert done.returncode == 1
    assert "8 rows" not in done.stderr
    assert "7 rows in 2 shards per method" in done.stdout
    assert "random failed on 1 clips" in done.stderr
    accepted = call(
        *arguments,
        *options,
        "--shard-size",
        4,
        "--out",
        tmp_path / "out",
        "--nulls",
        "none",
        "--max-errors",
        1,
    )
    assert accepted.returncode == 0
    refused = call(*arguments, *options, "--num-workers", 2)
    assert refused.returncode == 1
    assert "--engine ray" in refused.stderr


@pytest.mark.parametrize("engine", [2, "ray"])
def test_what_is_no_engine_is_refused(engine):
    with pytest.raises(ArgumentError, match=r"local_engine\(workers=4\) or ray_engine\(\)"):
        score(small_classifier(), [], ["saliency"], engine=engine)
