"""The report of a finished run, and its listening test, from the command line."""

import base64
import json
import re
import shutil
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from conftest import small_classifier
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

import audiointerp as ai
from audiointerp.cli import listening, report_clips
from audiointerp.cli.report_clips import ClipPages, clip_parts, remove_other_pages
from audiointerp.dataset import targets_of
from audiointerp.display import (
    BlindSound,
    Difference,
    Grid,
    document,
    page_digest,
    scores_section,
    write_blind_test,
)
from audiointerp.display.blind_test import LEVEL, matching_gain
from audiointerp.display.document import SCRIPTS, SOUND_SCRIPTS, minified, part
from audiointerp.errors import ArgumentError, AudioInterpError
from audiointerp.experiments import finished_methods, open_data
from audiointerp.metrics import METRICS
from audiointerp.tables import (
    FEWEST,
    all_cells,
    bootstrap_interval,
    lead_cells,
    listening_text,
    read_answers,
    read_results,
    read_runs,
    rows_of_mask,
)
from audiointerp.util import write_json

METHODS = "gradcam,saliency"
ARGUMENTS = ("--masks", "topK_30,minmax_pos", "--on", "audio", "--fill", "silence")


@pytest.fixture(scope="module")
def run(untouched_place, tmp_path_factory):
    """A finished run on ten synthetic clips, with the data and the weights it is from."""
    from audiointerp.experiments import EXPERIMENTS
    from audiointerp.experiments import run as run_experiment

    out = tmp_path_factory.mktemp("run")
    classifier = ai.Classifier.load(untouched_place / "mel.safetensors")
    clips = open_data(untouched_place / "data", (5,), duration=3.0)
    run_experiment(
        EXPERIMENTS["mel_clean"],
        classifier,
        clips,
        METHODS.split(","),
        out,
        masks=["topK_30", "minmax_pos"],
        on="audio",
        fill="silence",
        nulls=["smooth"],
    )
    return out / "mel" / "mel_clean"


@pytest.fixture
def report(call, run, untouched_place):
    def make(*arguments, runs=(run,)):
        given = ("--weights", untouched_place / "mel.safetensors")
        return call("report", *runs, *given, "--data", untouched_place / "data", *arguments)

    return make


@pytest.fixture(scope="module")
def written(run, untouched_place, tmp_path_factory):
    """The page of two clips of the run."""
    from audiointerp.cli.report_page import write_page
    from audiointerp.cli.run_source import Place, open_source

    classifier = ai.Classifier.load(untouched_place / "mel.safetensors")
    place = Place(untouched_place / "data", None, None, None, None)
    source = open_source([run], classifier, place, most=2)
    index = write_page(source, tmp_path_factory.mktemp("report"), False, "CC BY 4.0 <me>")
    return source, index.read_text(encoding="utf-8")


def test_a_page_shows_clips_verdicts_scores_and_the_licence(written):
    source, text = written
    places = [text.index(what) for what in ("data-overview", "data-stage", ">Verdicts<", "Scores<")]
    assert places == sorted(places)
    assert text.count("<section") == 2 + 3
    assert "CC BY 4.0 &lt;me&gt;" in text
    assert "The attributions of Grad-CAM, Saliency are those of the run." in text
    items = json.loads(
        re.search(r'nav.*?<script type="application/json">(.*?)</script>', text, re.S)[1]
    )
    assert [item["name"] for item in items] == [source.clips.clip_id(i) for i in source.shown]
    wanted = [source.clips.labels[source.clips[i][1]] for i in source.shown]
    assert [item["truth"] for item in items] == wanted


def test_stored_attributions_are_shown_as_they_are(written, run):
    """They are those of the file, bit by bit, and those of the method up to rounding."""
    source, _ = written
    assert source.explainers == {}
    _, results = next(source.explained())
    for result, method in zip(results, source.methods, strict=True):
        wav = source.clips[source.shown[0]][0][None]
        asked = ai.interpret(source.classifier, wav, method.name, compared=0)
        (path,) = (method.folder / "attributions").glob(f"{source.shown[0]:05d} *")
        assert torch.equal(result.attribution.values, load_file(path)["values"])
        assert torch.equal(result.mask, ai.MASKS["topK_30"](result.attribution.values))
        # The run's network had its batch normalisation folded.
        largest = float(asked.attribution.values.abs().max())
        difference = result.attribution.values - asked.attribution.values
        assert float(difference.abs().max()) < 1e-3 * largest
        assert result.attribution.method == method.name


@pytest.mark.parametrize("kept", [False, True], ids=["computed again", "stored"])
def test_clips_longer_than_the_windows_are_shown_whole_as_they_were_scored(written, tmp_path, kept):
    from audiointerp.experiments import EXPERIMENTS
    from audiointerp.experiments import run as run_experiment

    source, _ = written
    classifier = small_classifier(10, duration=2.0)
    classifier = ai.Classifier(
        classifier.network, classifier.transform, source.clips.labels, classifier.duration
    )
    clips = ai.EvenSubset(source.clips, 1)
    options = {"masks": ["topK_30"], "on": "features", "nulls": []}
    run_experiment(EXPERIMENTS["mel_clean"], classifier, clips, ["saliency"], tmp_path, **options)
    folder = tmp_path / "mel" / "mel_clean"
    (path,) = (folder / "saliency" / "attributions").iterdir()
    values = load_file(path)["values"]
    if not kept:
        path.unlink()
    again = replace(
        source,
        methods=finished_methods([folder]),
        explainers={} if kept else {"saliency": ai.Saliency(classifier.network)},
        rows=read_runs([folder / "saliency"]),
        classifier=classifier,
        clips=clips,
        shown=[0],
    )
    ((loaded, (result,)),) = again.explained()
    assert result.limits is None
    assert result.wav.shape[-1] == loaded.wav.shape[-1] == 3 * 32000
    p = float(result.attribution.probs[0, int(result.attribution.target)])
    assert p == pytest.approx(float(again.rows["p"].iloc[0]), abs=1e-5)
    shown = result.attribution.values
    assert torch.equal(shown, values) if kept else torch.allclose(shown, values, rtol=1e-3)


def test_an_interrupted_report_goes_on_and_workers_write_the_same(written, tmp_path, monkeypatch):
    """Pages that are there are not made again, unless they are of another report."""
    from audiointerp.cli import report_page

    source, _ = written
    monkeypatch.setattr(report_page, "MOST_CLIPS", 1)
    made = []
    make = ClipPages.made
    monkeypatch.setattr(
        ClipPages, "made", lambda self, number: (made.append(number), make(self, number))[1]
    )
    index = report_page.write_page(source, tmp_path, False, None)
    text, page = index.read_text(), (tmp_path / "clips" / "0002.html").read_bytes()
    assert made == [0, 1]
    (tmp_path / "clips" / "0002.html").unlink()
    (tmp_path / "clips" / "0001.json").write_text("{}")
    pages = ClipPages(source, tmp_path / "clips", False)
    assert [pages.kept(number) for number in (0, 1)] == [None, None]
    report_page.write_page(source, tmp_path, False, None)
    assert made == [0, 1, 0, 1]
    report_page.write_page(source, tmp_path, False, None)
    assert made == [0, 1, 0, 1]
    assert index.read_text() == text
    assert ClipPages(source, tmp_path / "clips", True).kept(0) is None
    other = replace(source, mask="topK_20")
    assert ClipPages(other, tmp_path / "clips", False).kept(0) is None
    parts = clip_parts(pages, workers=2, resume=False)
    assert (made, len(parts)) == ([0, 1, 0, 1], 2)
    assert (tmp_path / "clips" / "0002.html").read_bytes() == page


@pytest.fixture(scope="module")
def paged(written, tmp_path_factory):
    """A report of two clips with a page each."""
    from audiointerp.cli import report_page

    out = tmp_path_factory.mktemp("paged") / "report"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report_page, "MOST_CLIPS", 1)
        report_page.write_page(written[0], out, False, None)
    return written[0], out


@pytest.fixture
def clip_pages(paged, tmp_path):
    source, out = paged
    return ClipPages(source, shutil.copytree(out, tmp_path / "report") / "clips", False)


def without(record, name):
    item = {key: value for key, value in record["item"].items() if key != name}
    return json.dumps({**record, "item": item})


@pytest.mark.parametrize(
    "damage",
    [
        lambda page, record: page.write_bytes(b""),
        lambda page, record: page.write_bytes(page.read_bytes()[:-100]),
        lambda page, record: page.unlink(),
        lambda page, record: record.write_text("[1]"),
        lambda page, record: record.write_text(without(json.loads(record.read_text()), "name")),
        lambda page, record: record.write_text(without(json.loads(record.read_text()), "page")),
    ],
    ids=["empty", "cut", "missing", "list", "no name", "no address"],
)
def test_a_damaged_page_is_made_again(clip_pages, damage):
    assert clip_pages.kept(0) is not None
    damage(clip_pages.folder / "0001.html", clip_pages.folder / "0001.json")
    assert clip_pages.kept(0) is None
    assert clip_pages.kept(1) is not None


def killed_at_the_end(path, record):
    """Write the record of a page that is begun; where it is finished, be killed."""
    if record["sha256"]:
        raise KeyboardInterrupt
    write_json(path, record)


def test_a_page_whose_record_was_not_written_is_made_again(clip_pages, monkeypatch):
    """It had another mask than the page before it."""
    before = (clip_pages.folder / "0001.html").read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(report_clips, "write_json", killed_at_the_end)
        other = replace(clip_pages, source=replace(clip_pages.source, mask="topK_20"))
        with pytest.raises(KeyboardInterrupt):
            other.made(0)
    assert clip_pages.kept(0) is None
    assert (clip_pages.folder / "0001.html").read_bytes() != before


def test_a_page_without_its_record_does_not_stay_beside_a_smaller_report(clip_pages, monkeypatch):
    for name in ("0001.html", "0001.json"):
        (clip_pages.folder / name).unlink()
    with monkeypatch.context() as patch:
        patch.setattr(report_clips, "write_json", killed_at_the_end)
        with pytest.raises(KeyboardInterrupt):
            clip_pages.made(0)
    assert (clip_pages.folder / "0001.html").exists()
    (clip_pages.folder / "mine.html").write_text("a page of somebody else")
    remove_other_pages(clip_pages.folder, ["clips/0002.html"])
    names = sorted(path.name for path in clip_pages.folder.iterdir())
    assert names == ["0002.html", "0002.json", "mine.html"]


def test_pages_of_other_labels_or_scripts_are_made_again(clip_pages, monkeypatch):
    class Relabelled:
        clip_id = clip_pages.source.clips.clip_id
        labels = clip_pages.source.clips.labels

        def targets(self, index):
            return (0, *targets_of(clip_pages.source.clips, index))

    source = replace(clip_pages.source, clips=Relabelled())
    assert replace(clip_pages, source=source).kept(0) is None
    assert clip_pages.kept(0) is not None
    monkeypatch.setattr(report_clips, "page_digest", lambda: "of another build")
    assert clip_pages.kept(0) is None


@pytest.mark.parametrize("name", ["player.js", "page.css", "clip.html"])
def test_the_digest_of_the_page_is_that_of_all_its_parts(tmp_path, monkeypatch, name):
    before = page_digest()
    monkeypatch.setattr(document, "PARTS", shutil.copytree(document.PARTS, tmp_path / "page"))
    assert page_digest.__wrapped__() == before
    with (tmp_path / "page" / name).open("a") as file:
        file.write(" ")
    assert page_digest.__wrapped__() != before


@pytest.mark.parametrize("most", [0, 1], ids=["folder", "one page"])
def test_a_shorter_report_leaves_no_page_of_a_longer_one(clip_pages, monkeypatch, most):
    from audiointerp.cli import report_page

    folder = clip_pages.folder
    (folder / "0007.json").write_text('{"mine": 1}')
    (folder / "0007.html").write_text("mine")
    monkeypatch.setattr(report_page, "MOST_CLIPS", most)
    shorter = replace(clip_pages.source, shown=clip_pages.source.shown[:1])
    report_page.write_page(shorter, folder.parent, False, None)
    ours = ["0001.html", "0001.json"] if most == 0 else []
    left = sorted(path.name for path in folder.iterdir())
    assert left == [*ours, "0007.html", "0007.json"]


def test_without_attributions_they_are_computed_again(report, run, tmp_path):
    copied = tmp_path / "mel" / "mel_clean" / "gradcam"
    shutil.copytree(run / "gradcam", copied)
    shutil.rmtree(copied / "attributions")
    done = report("--most", "1", "--out", tmp_path / "out", runs=(copied,))
    assert done.returncode == 0, done.stderr
    assert "are those of the run" not in (tmp_path / "out" / "index.html").read_text()
    record = json.loads((copied / "run.json").read_text())
    record["explainer"]["layer"] = "conv_block1"
    (copied / "run.json").write_text(json.dumps(record))
    done = report("--most", "1", "--out", tmp_path / "other", runs=(copied,))
    assert done.returncode == 1
    assert "gradcam was run with another layer" in done.stderr


def test_another_network_or_other_clips_are_refused(report, run, untouched_place, tmp_path, call):
    other = tmp_path / "other.safetensors"
    small_classifier(10, duration=3.0, seed=3).save(other)
    data = ("--data", untouched_place / "data")
    done = call("report", run, "--weights", other, *data, "--out", tmp_path / "out")
    assert (done.returncode, "computed with another network" in done.stderr) == (1, True)
    done = report("--folds", "4", "--out", tmp_path / "out")
    assert (done.returncode, "was computed on 10 clips, which are not" in done.stderr) == (1, True)
    assert not (tmp_path / "out").exists()
    assert call("report").returncode == 1
    assert "holds no finished run" in report(runs=(tmp_path,)).stderr


def test_two_experiments_are_not_mixed(run, tmp_path):
    other = tmp_path / "mel" / "mel_horse" / "saliency"
    shutil.copytree(run / "saliency", other)
    record = json.loads((other / "run.json").read_text())
    record["experiment"]["name"] = "mel_horse"
    (other / "run.json").write_text(json.dumps(record))
    with pytest.raises(ArgumentError, match="several experiments"):
        finished_methods([run / "gradcam", other])
    shutil.copytree(run / "saliency", tmp_path / "again" / "saliency")
    with pytest.raises(ArgumentError, match="of one method"):
        finished_methods([run, tmp_path / "again"])
    assert [method.name for method in finished_methods([run])] == ["gradcam", "saliency"]
    assert [m.name for m in finished_methods([run.parents[1]])] == ["gradcam", "saliency"]


def test_the_rows_of_methods_are_those_of_the_results(run):
    rows = read_runs([run / "gradcam", run / "saliency"])
    pd.testing.assert_frame_equal(rows, read_results(run.parents[1]))


def made_rows(clips, soft=False):
    generator = np.random.default_rng(0)
    rows = []
    for clip in range(clips):
        for method in ("lime", "gradcam"):
            scores = dict(zip(METRICS, generator.uniform(size=len(METRICS)), strict=True))
            scores["AREA"] = 0.3
            scores["SPS"] = 0.5 if soft else 0.7
            row = {"method": method, "clip": f"{clip}.wav", "mask": "topK_30", "on": "audio"}
            rows.append(
                {**row, "fill": "silence", "protocol": "corrected", "status": "ok", **scores}
            )
    return pd.DataFrame(rows)


def test_the_leading_table_has_means_and_intervals_by_hand():
    rows = made_rows(FEWEST)
    heads, lines, caption = lead_cells(rows_of_mask(rows, "topK_30"))
    assert heads == ["method", "FF ↑", "AI (%) ↑", "AD (%) ↓", "AG (%) ↑", "FidIn ↑", "AREA"]
    assert [line[0] for line in lines] == ["lime", "gradcam"]
    values = rows.loc[rows["method"] == "lime", ["FF"]].to_numpy()
    low, high = bootstrap_interval(values, [f"{clip}.wav" for clip in range(FEWEST)])
    assert lines[0][1] == f"{values.mean():.2f} [{low[0]:.2f}, {high[0]:.2f}]"
    assert f"95 % intervals over {FEWEST} recordings" in caption


def test_few_recordings_have_no_interval_and_one_clip_yes_or_no():
    _, lines, caption = lead_cells(rows_of_mask(made_rows(5), "topK_30"))
    assert "5 recordings: too few for an interval." in caption
    assert "[" not in "".join(lines[0])
    assert "nan" not in "".join(map("".join, lines)).lower()
    one = made_rows(1)
    one["AI"], one["FidIn"] = [100.0, 0.0], [0.0, 1.0]
    heads, lines, _ = lead_cells(rows_of_mask(one, "topK_30"))
    cells = [dict(zip(heads, line, strict=True)) for line in lines]
    assert [(each["AI (%) ↑"], each["FidIn ↑"]) for each in cells] == [("yes", "no"), ("no", "yes")]


def test_scores_that_follow_from_the_area_are_left_out_for_binary_masks_alone():
    heads, _, _ = lead_cells(rows_of_mask(made_rows(2), "topK_30"))
    soft_heads, _, _ = lead_cells(rows_of_mask(made_rows(2, soft=True), "topK_30"))
    assert "SPS ↑" not in heads
    assert [head for head in soft_heads if head not in heads] == ["SPS ↑", "COMP ↓", "nCOMP ↓"]
    both = pd.concat([made_rows(2), made_rows(2, soft=True).assign(mask="minmax")])
    assert "SPS ↑" not in all_cells(made_rows(2))[0]
    heads, rounded, exact, names = all_cells(both)
    place = heads.index("SPS ↑")
    by_mask = {row[1]: row[place] for row in rounded}
    assert by_mask == {"topK_30": "", "minmax": "0.500"}
    assert names == 5
    mean = both.loc[(both["mask"] == "minmax") & (both["method"] == "lime"), "FF"].mean()
    (row,) = [row for row in exact if row[:2] == ["lime", "minmax"]]
    assert float(row[heads.index("FF ↑")]) == pytest.approx(mean, abs=1e-15)


def test_the_files_to_save_hold_every_row():
    grid = Grid(("method", "FF"), (('a "b", c', "0.25"), ("<script>", "0.5")), 1, "Means.")
    html = scores_section(grid, grid, grid)
    assert "<script>" not in html.replace('<script type="application/json">', "")
    addresses = re.findall(r'href="data:([^;]+);charset=utf-8;base64,([^"]+)"', html)
    texts = {kind: base64.b64decode(text).decode() for kind, text in addresses}
    assert texts["text/csv"] == 'method,FF\n"a ""b"", c",0.25\n<script>,0.5\n'
    assert json.loads(texts["application/json"])[1] == {"method": "<script>", "FF": "0.5"}


def test_the_forest_plot_draws_each_difference_at_its_place():
    lines = [
        Difference("FF", "lime", "on audio", 0.5, 0.25, 0.75, True),
        Difference("FF", "shap", "on audio", -0.25, float("nan"), float("nan"), False),
    ]
    grid = Grid(("method",), (("lime",),), 1, "")
    html = scores_section(grid, grid, grid, lines)
    figure = re.search(r'<svg class="forest".*?</svg>', html)[0]
    (zero,) = re.findall(r'class="zero" x1="([\d.]+)"', figure)
    ((left, right),) = re.findall(r'interval group0" x1="([\d.]+)" x2="([\d.]+)"', figure)
    first, second = re.findall(r'<circle class="group0( open)?" cx="([\d.]+)"', figure)
    unit = (float(right) - float(left)) / 0.5
    assert float(left) - float(zero) == pytest.approx(0.25 * unit, abs=0.2)
    assert float(first[1]) - float(zero) == pytest.approx(0.5 * unit, abs=0.2)
    assert float(second[1]) - float(zero) == pytest.approx(-0.25 * unit, abs=0.2)
    assert (first[0], second[0]) == ("", " open")
    assert "nan" not in html.lower()


def test_scripts_can_be_shortened_line_by_line():
    """A template over several lines would lose its indentation, and a comment its end."""
    for name in (*SCRIPTS, *SOUND_SCRIPTS):
        text = part(name)
        assert all(line.count("`") % 2 == 0 for line in text.splitlines()), name
        short = minified(text)
        assert len(short) < len(text)
        assert "/*" not in short, name
        code = [
            line.strip() for line in text.splitlines() if line.strip().endswith((";", "{", "}"))
        ]
        comments = ("*", "/*", "//")
        assert all(line in short for line in code if not line.startswith(comments)), name


# The listening test.


def tone(level, seconds=0.2, rate=8000, frequency=440.0):
    times = torch.arange(round(seconds * rate)) / rate
    return (level * torch.sin(2 * torch.pi * frequency * times))[None, None]


def blind_sounds(count=6):
    return [
        BlindSound(
            f"rooster_{n}.wav",
            f"day {n // 2}",
            "dog",
            "dog",
            method,
            "topK_30",
            tone(0.001 * (n + 1), frequency=200.0 * (n + 1)),
            8000,
        )
        for n in range(count)
        for method in ("lime", "random mask")
    ]


@given(st.floats(1e-5, 1.0), st.integers(1, 400))
def test_sounds_are_as_loud_as_each_other_unless_their_peak_forbids(level, clicks):
    wav = torch.zeros(1, 1, 1000)
    wav[..., :: max(1, 1000 // clicks)] = level
    gain, is_limited = matching_gain(wav)
    loud = wav * gain
    rms = 20 * np.log10(float(loud.double().square().mean().sqrt()))
    assert float(loud.abs().max()) <= 1 + 1e-6
    if is_limited:
        assert rms < LEVEL
    else:
        assert rms == pytest.approx(LEVEL, abs=0.1)


def test_a_test_hides_its_methods_and_its_key_finds_them_again(tmp_path):
    sounds = blind_sounds()
    folder, key = tmp_path / "test", tmp_path / "key.csv"
    assert write_blind_test(iter(sounds), ("cat", "dog"), folder, key, seed=1) == 0
    hidden = (folder / "index.html").read_text() + (folder / "answers.csv").read_text()
    for secret in ("lime", "random mask", "topK_30", "rooster", "day 0"):
        assert secret not in hidden, secret
    table = pd.read_csv(key)
    assert Counter(table["method"]) == {"lime": 6, "random mask": 6}
    assert table["method"].tolist() != [sound.method for sound in sounds]
    by_place = {(sound.clip, sound.method): sound for sound in sounds}
    for row in table.to_dict("records"):
        heard, rate = soundfile.read(folder / "sounds" / f"{row['number']:03d}.wav")
        wav = by_place[row["clip"], row["method"]].wav.flatten().numpy()
        assert rate == 8000
        # The sound is that of the key's row: the same up to its gain.
        assert np.corrcoef(heard, wav)[0, 1] > 0.999
        assert 20 * np.log10(heard.std() / wav.std()) == pytest.approx(row["gain_db"], abs=0.1)
    again = tmp_path / "again.csv"
    write_blind_test(iter(sounds), ("cat", "dog"), tmp_path / "again", again, seed=1)
    assert again.read_text() == key.read_text()
    other = tmp_path / "other.csv"
    write_blind_test(iter(sounds), ("cat", "dog"), tmp_path / "other", other, seed=2)
    assert other.read_text() != key.read_text()


def test_the_times_of_the_files_say_nothing_of_the_methods(tmp_path):
    """They follow the numbers, whatever order the sounds were made in."""

    def slowly():
        for sound in blind_sounds():
            yield sound
            # Longer than the clock of a file system may stand.
            time.sleep(0.01)

    write_blind_test(slowly(), ("cat", "dog"), tmp_path / "test", tmp_path / "key.csv", seed=1)
    files = sorted((tmp_path / "test" / "sounds").iterdir())
    assert [file.name for file in files] == [f"{number:03d}.wav" for number in range(1, 13)]
    for name in ("st_mtime_ns", "st_ctime_ns"):
        times = [getattr(file.stat(), name) for file in files]
        assert times == sorted(times), name


def test_labels_may_hold_bars_and_percent_signs(tmp_path):
    folder, key = tmp_path / "test", tmp_path / "key.csv"
    labels = ("cat|lion", "dog", "100 %7C")
    sounds = [replace(sound, explained="cat|lion") for sound in blind_sounds()]
    write_blind_test(sounds, labels, folder, key)
    sheet = answered(folder, key, rule=lambda row: (labels[int(row["number"]) % 2], "3"))
    rows, classes = read_answers([sheet], key)
    assert classes == 3
    assert rows["right"].tolist() == [0.0, 1.0] * 6
    sheet = answered(folder, key, rule=lambda row: ("lion", ""))
    with pytest.raises(
        AudioInterpError, match=r"write one of cat\|lion, dog, 100 %7C, cannot tell"
    ):
        read_answers([sheet], key)


def test_nothing_is_overwritten_and_the_key_stays_outside(tmp_path):
    folder, key = tmp_path / "test", tmp_path / "key.csv"
    with pytest.raises(ArgumentError, match="where listeners see it"):
        write_blind_test(blind_sounds(), ("dog",), folder, folder / "key.csv")
    with pytest.raises(ArgumentError, match="where listeners see it"):
        write_blind_test(blind_sounds(), ("dog",), folder, folder)
    with pytest.raises(ArgumentError, match="at least one sound"):
        write_blind_test([], ("dog",), tmp_path / "empty", key)
    write_blind_test(blind_sounds(), ("dog",), folder, key)
    with pytest.raises(ArgumentError, match="not overwritten"):
        write_blind_test(blind_sounds(), ("dog",), folder, tmp_path / "new.csv")


def answered(folder, key, name="answers.csv", rule=None):
    """Fill in the sheet as a listener would who follows a rule, from a row of the key."""
    rows = pd.read_csv(key, dtype=str).to_dict("records")
    lines = [f"{row['test']},{row['number']},{','.join(rule(row))}" for row in rows]
    path = folder / name
    path.write_text("test,number,sound,clarity\n" + "\n".join(lines) + "\n")
    return path


def test_answers_are_read_back_by_method(tmp_path):
    folder, key = tmp_path / "test", tmp_path / "key.csv"
    write_blind_test(blind_sounds(50), ("cat", "dog"), folder, key)
    sheet = answered(
        folder, key, rule=lambda row: ("dog", "5") if row["method"] == "lime" else ("cat", "2")
    )
    rows, classes = read_answers([sheet], key)
    assert rows.groupby("method")["right"].mean().to_dict() == {"lime": 1.0, "random mask": 0.0}
    text = listening_text(rows, classes)
    by_method = {line.split("  ")[0]: line.split() for line in text.splitlines()}
    assert by_method["lime"][1] == "100"
    assert by_method["random mask"][2] == "0"
    assert "intervals over 25 recordings" in text
    assert "right in 50 %" in text
    two = read_answers([sheet, answered(folder, key, "b.csv", lambda row: ("cat", ""))], key)[0]
    assert two.groupby("method")["right"].mean().to_dict() == {"lime": 0.5, "random mask": 0.0}
    assert two["listener"].nunique() == 2


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (("wolf", "3"), "none of the labels"),
        (("dog", "6"), "a number from 1 to 5"),
        (("dog", "0"), "a number from 1 to 5"),
    ],
)
def test_an_answer_that_cannot_be_is_refused_with_its_place(answer, message, tmp_path):
    folder, key = tmp_path / "test", tmp_path / "key.csv"
    write_blind_test(blind_sounds(1), ("cat", "dog"), folder, key)
    sheet = answered(folder, key, rule=lambda row: answer if row["number"] == "2" else ("", ""))
    with pytest.raises(AudioInterpError, match=f"answers.csv: sound 2: .*{message}"):
        read_answers([sheet], key)


def test_sheets_of_another_test_or_without_answers_are_refused(tmp_path):
    for name, seed in (("a", 0), ("b", 1)):
        write_blind_test(blind_sounds(), ("dog",), tmp_path / name, tmp_path / f"{name}.csv", seed)
    with pytest.raises(AudioInterpError, match="give the key of this test"):
        read_answers([tmp_path / "a" / "answers.csv"], tmp_path / "b.csv")
    rows, classes = read_answers([tmp_path / "a" / "answers.csv"], tmp_path / "a.csv")
    with pytest.raises(AudioInterpError, match="nothing was answered"):
        listening_text(rows, classes)


def test_the_whole_listening_test_in_a_shell(report, call, tmp_path):
    out = tmp_path / "blind"
    done = report("--blind", out, "--most", "2")
    assert done.returncode == 0, done.stderr
    key = tmp_path / "blind_key.csv"
    table = pd.read_csv(key)
    assert Counter(table["method"]) == {"gradcam": 2, "saliency": 2, "random mask": 2}
    sheet = answered(out, key, rule=lambda row: (row["explained"], "4"))
    done = call("report", "--answers", sheet, "--key", key)
    assert done.returncode == 0, done.stderr
    assert "too few for an interval" in done.stdout
    assert re.search(r"gradcam +100 +4\.0 +2", done.stdout)
    assert "--answers goes with --key" in call("report", "--answers", sheet).stderr


def test_a_listening_test_is_made_by_one_process(report, tmp_path):
    done = report("--blind", tmp_path / "blind", "--most", "2", "--workers", "2")
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert "--workers 2 with --blind" in line


@pytest.mark.parametrize("option", ["--names", "--labels"])
@pytest.mark.parametrize("given", ["", "dog,dog"])
def test_a_list_that_is_none_is_refused_with_its_option(report, tmp_path, option, given):
    done = report(option, given, "--out", tmp_path / "out")
    assert done.returncode == 1
    assert f"audiointerp: {option} {given!r}: give one or more" in done.stderr


def test_the_key_of_a_test_in_the_working_folder_is_beside_it(tmp_path, monkeypatch):
    places = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(listening, "_sounds", lambda source: iter([]))
    monkeypatch.setattr(listening, "write_blind_test", lambda *given: places.extend(given[2:4]))
    source = SimpleNamespace(classifier=SimpleNamespace(labels=("dog",)))
    listening.write_test(source, Path(), None, 0)
    assert places == [tmp_path, tmp_path.with_name(f"{tmp_path.name}_key.csv")]


def test_other_sounds_of_the_same_names_are_refused(written):
    """Their names alone are compared before, since a run can have many clips."""
    source, _ = written

    class Swapped:
        sample_rate, labels = source.clips.sample_rate, source.clips.labels
        clip_id = source.clips.clip_id

        def __len__(self):
            return len(source.clips)

        def __getitem__(self, index):
            return source.clips[index][0].flip(-1).roll(1000) ** 2, source.clips[index][1]

    with pytest.raises(ArgumentError, match=r"p of .* in the run, so this is another sound"):
        list(replace(source, clips=Swapped()).explained())
