"""Where the decimals of README and docs/ come from: files of results, or what is told here.

A page has figures of three kinds: in sentences and tables that tests/figures.py computes from
results; in tables and words that quote what a command printed (tests/printed.py); and settings,
bounds and the like, which are no results and are told here. tests/test_figure_places.py finds each.

Only decimals are looked for, not whole numbers, nor code. In words, a figure may be any of those
that the page's files have, and a row of a table may be any of their rows.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from figures import SENTENCES, TABLES
from page_sentence import ROOT

DECIMAL = re.compile(r"(?<![\w.])[+−-]?\d*\.\d+(?:e-?\d+)?(?!\w|\.\d)")
FENCED = re.compile(r"^```.*?^```", re.M | re.S)
NOT_TEXT = re.compile(r"`[^`]*`|\]\([^)]*\)")
"""Code, and where a link leads."""

WRITTEN_BY_COMMAND = {
    "docs/files.md": "python tests/awkward_files.py",
    "docs/fills.md": "python tests/fill_differences.py",
    "docs/localisation.md": "audiointerp localise",
    "docs/localisation-clean.md": "audiointerp localise",
    "docs/models.md": "python tests/models_page.py",
    "docs/sanity.md": "audiointerp sanity",
    "docs/validity.md": "audiointerp validate",
    "benchmarks/RESULTS.md": "make bench",
}
"""Pages as a whole."""
OF_A_MACHINE = {
    "docs/speed.md": "seconds, rates and memory: by commands that it names, some on machines that "
    "are gone; those of make bench are in benchmarks/results.json",
    "docs/scale.md": "seconds and memory, and arithmetic with them, by commands that it names",
    "docs/dependencies.md": "versions, and sizes of what is installed",
}
"""Pages whose figures another day would not print again, so that no file of results has them."""
SOURCES: Mapping[str, Sequence[str]] = {
    "docs/any-model.md": ["extractor_differences.txt", "sound_gradients.txt", "small_ast.txt"],
    "docs/hearing.md": ["lossy_inversions.txt"],
    "docs/methods.md": [
        *("rise_variants.txt", "resnet_layers.txt", "optimal_mask*.txt", "long_clips*.txt"),
    ],
    "docs/recordings.md": ["long_recording*.txt"],
    "docs/scores.md": [
        "null_differences.txt",
        "level_weights.txt",
        "interval_coverage.txt",
        "networks_on_fold_4.txt",
    ],
    "docs/synthetic-clips.md": ["synthetic_figures.txt"],
    "weights/README.md": [
        *("removal_robustness*.txt", "relative_levels.txt"),
        *("trained_again*.txt", "longer_training.txt", "optimal_mask_seeds.txt"),
    ],
}
"""The files of results/printed/ that a page quotes."""
CARDS = {"weights/README.md": "weights/*_*.md"}
"""Cards of networks that a page quotes."""
ACROSS = {
    "docs/methods.md": ("| method | : AD |", "| method | seed 3: AD |", "| variation |"),
    "weights/README.md": ("| removed |",),
}
"""Tables, by how they begin, whose rows gather several lines: there, a cell must be in one line."""
SINGLY = {"weights/README.md": ("| file |", "| recipe |")}
"""Tables whose figures are looked for one by one, as those of sentences."""
TOLD: Mapping[str, Mapping[str, str]] = {
    "README.md": {"versions of Python": "3.11 3.13", "GB, by du -sh .venv": "6.6"},
    "CONTRIBUTING.md": {"versions of Python": "3.11 3.13"},
    "docs/any-model.md": {
        "bounds, which tests hold": "0.01 0.1 0.9999 0.7 0.9 0.02",
        "rounded, of FF in the table": "0.02 0.03",
        "seconds": "10.24",
    },
    "docs/compare.md": {
        "p of the kept part, compared by tests/test_compare.py": "0.99 0.97 0.98",
        "versions": "0.2 0.9 0.51 1.5 0.6",
    },
    "docs/front-ends.md": {
        "a bound, which tests hold": "0.01",
        "dB, of torchaudio in float32": "0.013",
    },
    "docs/hearing.md": {
        "settings": "0.05 0.5 0.25",
        "kHz, and millions of samples": "44.1 1.5",
        "MB, GB and seconds of a machine": "6.8 0.9 3.3 23.8 1.2 0.8 1.4",
        "dB, by tests/long_song.py": "132.8",
        "dB between numbers of threads": "0.6",
    },
    "docs/index.md": {"versions of Python": "3.11 3.13"},
    "docs/masks.md": {"the sigmoid of 0": "0.5"},
    "docs/methods.md": {
        "settings and bounds": "0.25 0.4 0.85 0.6 0.05 0.5",
        "an example, and Shapley values by hand": "0.99 1.5",
        "shares of synthetic clips, by tests/test_long_clips.py": "0.30 0.40",
    },
    "docs/recordings.md": {
        "settings, and what one event of eight is": "0.6 0.7 2.5 0.5 0.125 0.002 0.05 1.25",
        "p in recordings.ipynb and of five clips with noise": "0.64 0.66 0.91",
        "a version": "2.4",
    },
    "docs/reliability.md": {"seconds, written by make torture": "0.02 0.15"},
    "docs/reproduce.md": {"a setting": "0.99"},
    "docs/scores.md": {
        "scores of make demo": "0.65 0.18 0.69 0.93",
        "settings and bounds": "0.005 0.3 0.5 0.999 0.1 0.25 0.50 0.75",
        "CPU seconds of a machine": "8.1 5.3",
        "the standard error of a share of 4000": "0.008",
    },
    "docs/synthetic-clips.md": {
        "seconds and a chance": "1.8 2.8 0.5 1.1",
        "without distractors and rooms, which the clips no longer lack": "0.967",
    },
    "docs/your-clips.md": {"seconds": "0.5"},
    "weights/README.md": {
        "one clip of 80, and differences of cards": "0.0125 0.025 0.075 0.1125 0.0875 0.8917",
        "a bar, and validation accuracies": "0.9 0.02 0.9583",
        "accuracies in results/, by tests/test_results.py": "0.7750 0.1375",
        "networks that were not kept": "0.7125 0.7375 0.8000 0.8625 0.8667 0.8833",
        "settings": "0.3 0.99",
        "mean and error of ten accuracies on the page": "0.8850 0.010",
    },
}
"""Decimals that are in no file of results, by page and by what they are."""


def normal(figure: str) -> str:
    """Write a decimal in one way.

    >>> normal("−.50"), normal("+0.3")
    ('-0.50', '0.3')
    """
    text = figure.replace("−", "-").replace("+", "").replace("e-0", "e-")
    return re.sub(r"^(-?)\.", r"\g<1>0.", text)


def decimals(text: str) -> list[str]:
    """Return the decimals of a text, in one way of writing."""
    return [normal(each) for each in DECIMAL.findall(text)]


def text_of(page: str) -> str:
    """Read a page without its code, links, and what tests/figures.py computes."""
    text = (ROOT / page).read_text(encoding="utf-8")
    patterns = [sentence.pattern for sentence in SENTENCES if sentence.page == page]
    patterns += [TABLES[page][0]] if page in TABLES else []
    # Sentences may share words, so all are looked for in the whole text.
    spans = [found.span() for pattern in patterns for found in pattern.finditer(text)]
    inside = {place for span in spans for place in range(*span)}
    text = "".join(each for place, each in enumerate(text) if place not in inside)
    return NOT_TEXT.sub("", FENCED.sub("", text))


def lines_of(page: str) -> Iterator[str]:
    """Yield the lines of what a page quotes."""
    patterns = [f"results/printed/{pattern}" for pattern in SOURCES.get(page, ())]
    for pattern in [*patterns, *([CARDS[page]] if page in CARDS else [])]:
        for path in sorted(ROOT.glob(pattern)):
            lines = path.read_text(encoding="utf-8").splitlines()
            yield from (line for line in lines if not line.startswith("$ "))


def told(page: str) -> set[str]:
    """Return the decimals of a page that are no results."""
    return {each for words in TOLD.get(page, {}).values() for each in words.split()}


def not_found(page: str) -> list[str]:
    """Return the decimals of a page that are in no line of its sources.

    Those of a row of a table must be in one line, in their order; but for what is told.
    """
    printed = [decimals(line) for line in lines_of(page)]
    anywhere = set().union(*printed)
    missing = []
    for line, header in lines_with_headers(text_of(page)):
        if header is None or header.startswith(SINGLY.get(page, ())):
            missing += [each for each in decimals(line) if each not in anywhere]
            continue
        is_across = header.startswith(ACROSS.get(page, ()))
        for part in line.split("|") if is_across else [line]:
            found = decimals(part)
            results = [each for each in found if each not in told(page)]
            if not any(is_within(results, row) for row in printed):
                missing += found
    return missing


def is_within(some: Sequence[str], row: Sequence[str]) -> bool:
    """Return whether figures are in a row, in their order.

    >>> is_within(["1.0", "3.0"], ["1.0", "2.0", "3.0"]), is_within(["3.0", "1.0"], ["1.0", "3.0"])
    (True, False)
    """
    rest = iter(row)
    return all(each in rest for each in some)


def lines_with_headers(text: str) -> Iterator[tuple[str, str | None]]:
    """Yield each line with the first line of its table, None outside of tables."""
    header = None
    for line in text.splitlines():
        stripped = line.strip()
        header = (header or stripped) if stripped.startswith("|") else None
        yield stripped, header
