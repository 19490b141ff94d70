"""Puts faults that were mended back into a copy of the package: a test must notice each.

Usage: python tests/mutations.py [ITEM ...]

Each mutation restores one wrong behaviour of an earlier version, in today's code. The named tests
pass on the code as it is (``make test`` runs them), and must each fail by an assertion here.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
GAP = "test_long_clips.py::test_the_gap_of_a_clip_is_what_is_missing_from_the_values_returned"
ASSERTION = re.compile(
    r"^FAILED (\S+?)(?:\[.*\])? - (?:assert|AssertionError|Failed: DID NOT)", re.M
)


@dataclass(frozen=True)
class Mutation:
    """A fault of an earlier version, as the change of one place that brings it back."""

    item: str
    fault: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


MUTATIONS = (
    Mutation(
        "6",
        "SHAP's gap is taken before padding and overlapping frames are cut",
        "scoring/pooling.py",
        '"additivity_gap": relative_gap(joined, difference)',
        '"additivity_gap": relative_gap(values.sum(0), difference)',
        (GAP,),
    ),
    Mutation(
        "6",
        "what lies outside the returned values is not told",
        "scoring/pooling.py",
        '"outside": relative_to(cut, difference)',
        '"outside": relative_to(0 * cut, difference)',
        (GAP, "test_long_clips.py::test_what_is_missing_is_said"),
    ),
    Mutation(
        "7",
        "each window of a long clip explains its own logit",
        "scoring/pooling.py",
        "return (log_weights - log_weights.max()).exp()",
        "return torch.ones_like(log_weights)",
        (
            "test_long_clips.py::test_a_weight_is_the_derivative_of_the_clips_probability",
            "test_long_clips.py::test_weights_by_hand",
            "test_long_clips.py::test_the_map_of_a_long_clip_is_that_of_its_own_probability",
            "test_long_clips.py"
            "::test_shap_lies_where_the_event_is_and_not_in_the_faint_noise_behind_it",
        ),
    ),
    Mutation(
        "9",
        "p on features stands beside a player",
        "display/players.py",
        "<td>{result.heard[p]:.3f}<td>{matched}",
        "<td>{result.scores[p]:.3f}<td>{matched}",
        ("test_report.py::test_beside_a_player_stands_the_p_of_its_sound",),
    ),
    Mutation(
        "9",
        "p on features stands in the corner of a picture of sounds",
        "display/plot.py",
        'f"p of the sound {result.heard[name]:.3f}"',
        'f"p of the sound {result.scores[name]:.3f}"',
        ("test_report.py::test_beside_a_player_stands_the_p_of_its_sound",),
    ),
    Mutation(
        "9",
        "p on features stands beside the players of listening.html",
        "paper/supplementary.py",
        "<td>{result.heard[probability]:.3f}",
        "<td>{result.scores[probability]:.3f}",
        ("test_supplementary.py::test_the_page_plays_what_was_computed",),
    ),
    Mutation(
        "9",
        "the p of the sounds is that of the masked features",
        "scoring/one_clip.py",
        "p_of_sounds=p_of_sounds",
        "p_of_sounds={name: float(scores[name][0]) for name in p_of_sounds}",
        ("test_predict.py::test_the_p_of_a_sound_is_that_of_the_sound_that_plays",),
    ),
    Mutation(
        "19",
        "play starts with the sound before, while the chosen part is made",
        "display/page/component.js",
        "while (awaited !== this.partIsThere) {",
        "while (false) {",
        ("test_page_in_browser.py::test_play_right_after_a_part_never_starts_with_the_original",),
    ),
    Mutation(
        "19",
        "the page swaps what is kept and what is removed",
        "display/page/maps.js",
        "const kept = isRemoved ? 0 : 1;",
        "const kept = isRemoved ? 1 : 0;",
        ("test_page_in_browser.py::test_what_plays_is_what_to_wav_gives",),
    ),
    Mutation(
        "19",
        "the playhead is 50 ms late",
        "display/page/player.js",
        "const time = from + Math.max(0, sharedContext().currentTime - startedAt);",
        "const time = from + Math.max(0, sharedContext().currentTime - startedAt - 0.05);",
        ("test_page_in_browser.py::test_the_playhead_follows_the_sound",),
    ),
    Mutation(
        "19",
        "two clips of a page sound at once",
        "display/page/player.js",
        "if (playingNow && playingNow !== this) {",
        "if (playingNow && playingNow === undefined) {",
        ("test_page_in_browser.py::test_there_are_never_two_sounds",),
    ),
    Mutation(
        "19",
        "the page shows p of the share beside",
        "display/page/component.js",
        "return this.named ?? this.method.shares[number] ??",
        "return this.named ?? this.method.shares[number + 1] ??",
        ("test_page_in_browser.py::test_the_slider_moves_outline_sound_and_p_together",),
    ),
    Mutation(
        "19",
        "a page names the mask that it showed first",
        "display/page/component.js",
        'this.find("about").textContent = this.about();',
        "this.about().length;",
        ("test_page_in_browser.py::test_each_cell_of_the_grid_loads_its_mask",),
    ),
    Mutation(
        "19",
        "the explorer shows the verdict before a guess",
        "display/page/explore.css",
        ".guessing .verdict, .guessing .details,",
        ".guessing .other, .guessing .details,",
        ("test_explore_in_browser.py::test_nothing_tells_the_class_before_a_guess",),
    ),
    Mutation(
        "19",
        "the quiz plays the method's part, whatever it asks",
        "display/page/explore.js",
        "await component.setPart(answer.part);",
        'await component.setPart(answer.part && "kept");',
        ("test_explore_in_browser.py::test_the_quiz_plays_what_it_asks_for_and_tells_nothing",),
    ),
    Mutation(
        "19",
        "digits cannot be typed into the edges of a box",
        "display/page/start.js",
        '"input[type=text], input[type=search], input[type=number], textarea, select",',
        '"input[type=text], input[type=search], textarea, select",',
        ("test_explore_in_browser.py::test_a_box_by_the_keyboard_alone",),
    ),
    Mutation(
        "19",
        "the explorer keeps what a box removes",
        "display/explored_clip.py",
        "return box if is_kept else 1 - box, place",
        "return 1 - box if is_kept else box, place",
        (
            "test_explore.py::test_p_of_a_box_is_that_of_the_sounds",
            "test_explore_in_browser.py::test_a_box_by_the_keyboard_alone",
        ),
    ),
    Mutation(
        "19",
        "a method that was cancelled is computed to its end",
        "display/explore_jobs.py",
        """        if self.is_cancelled:
            raise Cancelled""",
        """        if self.is_cancelled and self.state == "waiting":
            raise Cancelled""",
        ("test_explore_in_browser.py::test_a_method_shows_its_progress_and_is_cancelled",),
    ),
    Mutation(
        "19",
        "a recording is sent at another rate",
        "display/page/explore.js",
        'await this.send("record", { rate: decoded.sampleRate }, samples.buffer);',
        'await this.send("record", { rate: 8000 }, samples.buffer);',
        ("test_explore_in_browser.py::test_a_recording_is_explained",),
    ),
    Mutation(
        "16",
        "both sides of a page's stereo sound are the left one",
        "display/page/masking.js",
        "sums[1][first + k] += im[k] * window[k];",
        "sums[1][first + k] += re[k] * window[k];",
        ("test_page_in_browser.py::test_a_file_is_played_with_its_own_rate_and_channels",),
    ),
    Mutation(
        "19",
        "a part that is no longer the class is said to be explained",
        "scoring/verdict.py",
        """if not self.is_kept:
            return "Not explained\"""",
        """if self.is_kept is None:
            return "Not explained\"""",
        ("test_verdict.py::test_each_case_has_its_sentence",),
    ),
    Mutation(
        "17",
        "one random field is shared by all methods and masks of a clip",
        "scoring/nulls.py",
        "seeds = [null_seed(method, name) for name in masks]",
        "seeds = [0 for name in masks]",
        (
            "test_nulls.py::test_what_each_null_is",
            "test_nulls.py::test_draws_differ_between_methods_masks_and_kinds_and_stay_the_same",
        ),
    ),
    Mutation(
        "17",
        "comparisons of a family are not corrected",
        "paper/validity.py",
        "holm(p_values) <= LEVEL",
        "p_values <= LEVEL",
        (
            "test_validity.py::test_a_mask_that_leads_by_luck_does_not_beat_chance",
            "test_validity.py::test_random_attributions_beat_random_masks_as_seldom_as_chance_does",
        ),
    ),
    Mutation(
        "17",
        "masks with the same scores count twice",
        "paper/comparable.py",
        "DUPLICATE = 0.95",
        "DUPLICATE = 1.01",
        ("test_validity.py::test_duplicate_masks_count_once",),
    ),
    Mutation(
        "18",
        "intervals are percentiles",
        "tables/bca.py",
        "return NORMAL.cdf(bias + shifted / max(1 - acceleration * shifted, TOLERANCE))",
        "return tail",
        ("test_tables.py::test_the_interval_is_that_of_scipy",),
    ),
    Mutation(
        "18",
        "ten recordings have an interval",
        "tables/bootstrap.py",
        "FEWEST = 20",
        "FEWEST = 10",
        ("test_tables.py::test_nineteen_recordings_have_no_interval",),
    ),
    Mutation(
        "19",
        "masks that contain each other by definition are compared",
        "paper/comparable.py",
        "return second in PARTS_OF.get(first, ()) or first in PARTS_OF.get(second, ())",
        "return False",
        ("test_validity.py::test_what_is_true_by_definition_is_no_finding",),
    ),
    Mutation(
        "19",
        "soft masks are called refuted",
        "paper/comparable.py",
        """        return []
    return [mask for mask in others if mask not in SOFT_MASKS]""",
        """        return others
    return others""",
        ("test_validity.py::test_a_soft_mask_is_not_comparable",),
    ),
    Mutation(
        "19",
        "a verdict shows another interval than it used",
        "paper/conclusions.py",
        "float(leads[shown].mean()), *intervals[shown])",
        "float(leads[shown].mean()), *_interval(leads[shown], 0.95))",
        ("test_validity.py::test_a_verdict_shows_the_interval_that_it_used",),
    ),
    Mutation(
        "19",
        "the best epoch's accuracy is shown as if it were of other clips",
        "paper/published_faults.py",
        "mean over {seeds} seeds; in-sample: ",
        "mean over {seeds} seeds: ",
        ("test_validity.py::test_the_figure_of_the_best_epoch_says_that_it_is_in_sample",),
    ),
)


def main(items: Sequence[str]) -> int:
    """Try the mutations of some items, or of all; the status is 1 if one goes unnoticed."""
    chosen = [mutation for mutation in MUTATIONS if not items or mutation.item in items]
    print("| item | fault brought back | changed | tests that failed |\n|---|---|---|---|")
    unnoticed = [mutation for mutation in chosen if not _is_noticed(mutation)]
    return int(bool(unnoticed))


def _is_noticed(mutation: Mutation) -> bool:
    """Tell whether each named test fails under a mutation; print a row."""
    with tempfile.TemporaryDirectory() as folder:
        _mutated_copy(mutation, Path(folder))
        output = _test(mutation.tests, Path(folder))
    failed = [name.removeprefix("tests/") for name in ASSERTION.findall(output)]
    missing = [name for name in mutation.tests if name not in failed]
    names = "<br>".join(f"`{name}`" for name in dict.fromkeys(failed))
    verdict = f"{names} NOT NOTICED by {', '.join(missing)}" if missing else names
    print(f"| {mutation.item} | {mutation.fault} | `{mutation.file}` | {verdict} |", flush=True)
    if missing:
        print(output, file=sys.stderr)
    return not missing


def _mutated_copy(mutation: Mutation, folder: Path) -> None:
    """Copy the package and its tests, with one place changed; link to what they read."""
    uncompiled = shutil.ignore_patterns("__pycache__")
    for name in ("audiointerp", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=uncompiled)
    for name in ("weights", "results", "supplementary", "pyproject.toml"):
        (folder / name).symlink_to(ROOT / name)
    path = folder / "audiointerp" / mutation.file
    text = path.read_text(encoding="utf-8")
    if text.count(mutation.old) != 1:
        raise SystemExit(
            f"{mutation.file}: {mutation.old!r} stands there {text.count(mutation.old)} times, "
            f"not once; adapt the mutation of item {mutation.item} to the code"
        )
    path.write_text(text.replace(mutation.old, mutation.new), encoding="utf-8")


def _test(names: Sequence[str], folder: Path) -> str:
    command = [sys.executable, "-m", "pytest", "-q", "-rf", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, *(f"tests/{name}" for name in names)],
        cwd=folder,
        # Wide, so that pytest does not cut the reason of a failure off.
        env={**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "400"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
