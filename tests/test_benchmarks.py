"""The whole benchmark on a tiny network; what it compares is equal, and what it states is right."""

import time
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

pytest.importorskip("benchmarks", reason="installed without its sources")

from audiointerp import MASKS, Cnn14
from benchmarks import forward_batch, layers, page, score_profile, whole_study
from benchmarks.__main__ import main, measure_work, with_rows
from benchmarks.material import TINY, calibrate
from benchmarks.measure import Work, matrix_product_rate, measure, observed, quartiles, timed
from benchmarks.published import ScriptCnn14

AGREEING = {
    ("forward", "published"): 1e-5,
    ("saliency", "published"): 1e-4,
    ("saliency", "captum"): 1e-4,
    ("Grad-CAM", "captum"): 1e-4,
    ("SHAP, per background clip", "shap"): 1e-4,
    ("LIME, a sample", "published"): 1e-3,
    ("score 3 masks", "published"): 1e-4,
}
"""By work and way, the largest difference from the library's values, as a share of the largest."""


@pytest.mark.whole
@pytest.mark.filterwarnings("ignore")
def test_the_whole_benchmark_on_a_tiny_network(tmp_path, capsys):
    main(["--tiny", "--out", str(tmp_path)])
    results = page.read(tmp_path)
    timings = {(timing.work, timing.side): timing for timing in results.timings}
    for key, largest in AGREEING.items():
        assert 0 <= timings[key].difference < largest, key
    assert all(timing.seconds > 0 for timing in results.timings)
    assert [growth.multiples for growth in results.growths] == [TINY.growth] * 4
    text = (tmp_path / "RESULTS.md").read_text()
    for name in ("forward", "saliency", "Grad-CAM", "SHAP", "LIME", "score", "training"):
        assert f"| {name}" in text or f"small network: {name}" in text
    assert (tmp_path / "RESULTS.png").read_bytes().startswith(b"\x89PNG")
    # A row with its way, for each that was measured.
    assert len(capsys.readouterr().out.splitlines()) == len(results.timings)


def test_what_is_kept_gives_the_same_page(tmp_path):
    results = measure_work(replace(TINY, pairs=1), None, only="forward")
    page.write(results, tmp_path)
    first = (tmp_path / "RESULTS.md").read_bytes()
    page.write(page.read(tmp_path), tmp_path)
    assert (tmp_path / "RESULTS.md").read_bytes() == first


def test_rows_that_are_measured_again_take_the_place_of_the_old_ones():
    sides = {"published": lambda: torch.ones(1), "library": lambda: torch.ones(1)}
    first, second, new = (
        measure(Work(name, sides, parts=1, flop=1.0, pairs=1)) for name in ("a", "b", "b")
    )
    results = page.Results(None, {}, [*first, *second], ["growth"], [])
    merged = with_rows(results, new)
    assert list(merged.timings) == [*first, *new]
    assert merged.growths == ["growth"]


def test_a_slower_way_has_a_smaller_ratio():
    def sleep(seconds):
        def side():
            time.sleep(seconds)
            return torch.ones(2) * seconds

        return side

    sides = {"published": sleep(0.1), "library": sleep(0.01)}
    reference, library = measure(Work("sleep", sides, parts=2, flop=1e9, pairs=3, goal=2.0))
    assert library.ratio > 2
    assert reference.ratio == 1
    assert reference.seconds >= 0.05
    assert reference.rate == pytest.approx(1 / reference.seconds)
    assert reference.difference == pytest.approx(9)
    assert (reference.goal, library.goal) == (0, 2)


def test_a_way_that_reads_its_own_clock():
    seconds, _ = timed(lambda: torch.tensor([3.0, 1.0, 2.0]), is_clocked=True)
    assert seconds == 2


def test_the_peak_counts_what_was_freed():
    before, *_ = observed(lambda: None)
    if not before:
        pytest.skip("this system does not say a process's peak memory")
    assert observed(lambda: torch.ones(2**26))[0] > before + 0.2
    assert observed(lambda: None)[0] < before + 0.2


def test_work_that_is_run_once():
    runs = []

    def run():
        runs.append(torch.ones(1))
        return runs[-1]

    (timing,) = measure(Work("once", {"library": run}, pairs=0))
    assert len(runs) == 1
    assert timing.seconds > 0


def test_quartiles_and_rate():
    assert quartiles([1.0, 2.0, 3.0, 4.0, 5.0]) == (3, 2, 4)
    assert quartiles([7.0]) == (7, 7, 7)
    assert matrix_product_rate(64) > 0


def test_scripts_network_is_the_librarys():
    network = Cnn14(3, base_channels=2)
    db = 20 * torch.randn(4, 1, 64, 70) - 50
    calibrate(network, db)
    with torch.no_grad():
        expected = network(db)
        assert torch.allclose(ScriptCnn14(network).eval()(db), expected, atol=1e-5)
    assert expected.std() > 0


def test_the_whole_study_at_a_small_share(capsys):
    whole_study.main(["--device", "cpu", "--fraction", "0.0005", "--channels", "2"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"1 clips, 2 background clips, {len(MASKS)} masks, cpu")
    rows = {line.split(" | ")[0].removeprefix("| "): line for line in lines[3:-1]}
    for name in ("saliency", "gradcam", "shap", "lime"):
        assert {name, f"score {name}"} <= rows.keys()
    assert "training, an epoch of 1,200 clips" in rows
    assert lines[-1].startswith("Goal")


def test_the_layers_by_themselves(capsys):
    layers.main(["--channels", "2"])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 + 12
    assert "| 32 to 64 | 15 x 2 |" in lines[-2]


def test_versions_in_a_forward_pass(capsys):
    names = ["Cnn10, 16 channels, mel", "Cnn10, 16 channels, STFT"]
    forward_batch.main(["--rounds", "1", "--cases", *names])
    threads, _, _, *rows = capsys.readouterr().out.splitlines()
    assert threads == "threads: 1"
    cells = [row.strip("| ").split(" | ") for row in rows]
    # Of 2.1 and 10.3 MB for a version, the output of the first convolution.
    assert [row[:2] for row in cells] == [[names[0], "4"], [names[1], "2"]]
    assert all(float(cell) > 0 for row in cells for cell in row[2:])


def test_the_shares_of_score(capsys):
    score_profile.main(["--clips", "1"])
    seconds, _, _, *rows = capsys.readouterr().out.splitlines()
    assert seconds.endswith(" CPU s a clip and method")
    shares = [int(row.split(" | ")[1].split("%")[0]) for row in rows]
    # Nothing is counted twice: then the rest would be below 0.
    assert len(shares) == 5
    assert min(shares) >= 0


def test_the_seconds_of_functions_are_those_of_their_files():
    calls = {
        ("/a/winograd.py", 72, "winograd"): (1, 1, 0.5, 2.0, {}),
        ("/a/other.py", 72, "winograd"): (1, 1, 0.5, 4.0, {}),
        ("~", 0, "<built-in method torch.conv2d>"): (9, 9, 8.0, 8.0, {}),
    }
    stats = SimpleNamespace(stats=calls)
    assert score_profile.seconds_in(stats, score_profile.CONVOLUTIONS) == 10.0
    assert score_profile.seconds_in(stats, ("winograd.py:evaluated",)) == 0.0
