"""Makes everything that is committed of the results, step by step: ``make reproduce``.

    python tests/reproduce.py                       all steps
    python tests/reproduce.py validity figures      these
    python tests/reproduce.py --again               also steps that are done

The tables, the pages and pictures of docs/, the supplementary material, and the figures of README
are made from results/ (``make results``). A step that is done is left out, unless its results,
networks or code have changed since it began. The same command resumes after an interruption; the
longest steps resume within themselves. Each step says how long it took.

The data are those that AUDIOINTERP_DATA names, else data/ESC-50. They must be ESC-10's classes.
"""

import argparse
import hashlib
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from audiointerp.paper.choice import data_root
from audiointerp.util import read_json, write_json

ROOT = Path(__file__).parents[1]
RECORD = Path(".reproduce.json")
"""What is done: for each step the digest of what it was made of and of what it made, seconds."""
WEIGHTS = "weights/esc10_mel_cnn10.safetensors"
NOISE_WEIGHTS = "weights/esc10_mel_cnn10_noise.safetensors"
CARD = "weights/esc10_mel_cnn10.json"
ROWS = (
    *("results/*/*/*/metrics.*", "results/*/*/*/run.json", "results/*/*/*/shards/*.parquet"),
    *(f"results/crossval_*/fold_*/*/*/*/{name}" for name in ("run.json", "shards/*.parquet")),
)
CODE = (
    *("audiointerp/**/*.py", "audiointerp/**/*.csv"),
    # Pages and their pictures are made of these, too.
    *(f"audiointerp/display/page/*.{kind}" for kind in ("js", "css", "html")),
)
GRADIENT_METHODS = (
    "saliency,gradcam,layercam,guided_gradcam,integrated_gradients,shap,mask_gradient,"
    "optimal,random"
)
OUTPUT_METHODS = "lime,occlusion,rise,rise_logit"
SANITY_ROWS = {name: f"results/sanity/{name}.csv" for name in ("gradients", "outputs")}
"""The rows of docs/sanity.md: of methods by gradients, and by outputs of the network alone."""


@dataclass(frozen=True)
class Step:
    """One command, and what it is made of.

    Attributes:
        name: what is made, in a word.
        command: the words of the command.
        made_of: patterns of the files that it depends on, beside the code.
        makes: files and folders that it writes.
        note: what a reader of the log should know.
    """

    name: str
    command: Sequence[str]
    made_of: Sequence[str]
    makes: Sequence[str]
    note: str = ""


def steps(data: str) -> list[Step]:
    """List the steps in their order: pages before the figures that are quoted from them.

    Args:
        data: the folder of the clips, as it stands in the pages.
    """
    clips = ["--data", data, "--subset", "esc10"]
    published = ["--formats", "csv,latex,pdf", "--published"]
    return [
        Step(
            "tables",
            ["audiointerp", "tables", "results", "--out", "tables", *published],
            ROWS,
            ["tables"],
            "every table of the paper, not committed",
        ),
        Step(
            "supplementary",
            ["audiointerp", "supplementary", "--out", "supplementary"],
            [*ROWS, "weights/synthetic_mel_cnn10.safetensors"],
            ["supplementary/illustration.png", "supplementary/listening.html"],
        ),
        Step(
            "validity",
            ["audiointerp", "validate", "--weights", WEIGHTS, *clips, "--rows", "results"],
            [*ROWS, WEIGHTS, CARD],
            ["docs/validity.md", "docs/validity.png"],
        ),
        Step(
            "localisation",
            ["audiointerp", "localise", "--weights", NOISE_WEIGHTS, *clips],
            [NOISE_WEIGHTS],
            ["docs/localisation.md", "docs/localisation.png", "results/localisation"],
            "resumes mixture by mixture; rows of earlier settings are kept",
        ),
        Step(
            "localisation_clean",
            [
                *("audiointerp", "localise", "--weights", WEIGHTS, *clips, "--ratios", "0"),
                *("--rows", "results/localisation_clean", "--out", "docs/localisation-clean.md"),
            ],
            [WEIGHTS],
            [
                *("docs/localisation-clean.md", "docs/localisation-clean.png"),
                "results/localisation_clean",
            ],
            "resumes mixture by mixture; rows of earlier settings are kept",
        ),
        Step(
            "sanity_gradients",
            [
                *("audiointerp", "sanity", "--weights", WEIGHTS, *clips),
                *("--methods", GRADIENT_METHODS, "--out", "results/sanity/gradients.md"),
            ],
            [WEIGHTS],
            [SANITY_ROWS["gradients"]],
        ),
        Step(
            "sanity_outputs",
            [
                *("audiointerp", "sanity", "--weights", WEIGHTS, *clips, "--samples", "200"),
                *("--methods", OUTPUT_METHODS, "--out", "results/sanity/outputs.md"),
            ],
            [WEIGHTS],
            [SANITY_ROWS["outputs"]],
        ),
        Step(
            "sanity",
            [
                *("audiointerp", "sanity", "--rows", ",".join(SANITY_ROWS.values())),
                *("--out", "docs/sanity.md"),
            ],
            [*SANITY_ROWS.values()],
            ["docs/sanity.md"],
        ),
        Step(
            "fills",
            ["python", "tests/fill_differences.py", data],
            [WEIGHTS, "tests/fill_*.py"],
            ["docs/fills.md", "docs/fills.png", "results/fills/fills.csv"],
            "resumes mixture by mixture",
        ),
        Step(
            "printed",
            ["python", "tests/printed.py", data],
            ["tests/printed.py"],
            ["results/printed"],
            "each command whose file is missing",
        ),
        Step(
            "picture",
            ["python", "tests/readme_picture.py", data, "docs/rooster"],
            [WEIGHTS, "tests/readme_picture.py"],
            ["docs/rooster.png", "docs/rooster.json"],
        ),
        Step(
            "figures",
            ["python", "tests/figures.py", "--write"],
            [
                *(*ROWS, "results/localisation*/localisation.csv"),
                *("tests/figures.py", "tests/page_figures.py", "tests/page_sentence.py"),
                *("docs/*.md", "docs/rooster.json", "README.md", "results/README.md"),
            ],
            ["README.md", "docs/scores.md", "docs/reproduce.md", "results/README.md"],
        ),
    ]


def digest(patterns: Iterable[str], root: Path, without: Iterable[str] = ()) -> str:
    """Return a digest of the names and contents of files, and of those in folders.

    Args:
        patterns: of the files and folders.
        root: of the repository.
        without: files and folders that are left out.
    """
    total = hashlib.sha256()
    left_out = {root / path for path in without}
    for pattern in patterns:
        for path in sorted(root.glob(pattern)):
            inner = [path] if path.is_file() else sorted(path.rglob("*"))
            for file in inner:
                if file.is_file() and left_out.isdisjoint([file, *file.parents]):
                    total.update(f"{file.relative_to(root)}\n".encode())
                    total.update(file.read_bytes())
    return total.hexdigest()


def state(step: Step, root: Path) -> dict[str, str]:
    """Return what a step that is done must still have: its command, sources and products."""
    return {
        "command": shlex.join(step.command),
        # A step may write into what it reads: figures into sentences.
        "made_of": digest([*CODE, *step.made_of], root, without=step.makes),
        "made": digest(step.makes, root),
    }


def run(chosen: Sequence[Step], root: Path, again: bool = False) -> bool:
    """Run steps in their order, and keep what is done; return whether all went well.

    Args:
        chosen: the steps.
        root: the root of the repository.
        again: whether to run those that are done.
    """
    content = read_json(root / RECORD)
    record = content if isinstance(content, dict) else {}
    for number, step in enumerate(chosen, 1):
        title = f"[{number}/{len(chosen)}] {step.name}"
        done = record.get(step.name, {})
        # Taken before the command runs: what changes meanwhile, it may not have read.
        before = state(step, root)
        if not again and done.get("state") == before:
            print(f"{title}: done before, in {duration(done['seconds'])}", flush=True)
            continue
        note = f"  # {step.note}" if step.note else ""
        print(f"{title}: {shlex.join(step.command)}{note}", flush=True)
        start = time.perf_counter()
        status = subprocess.run(program(step.command), cwd=root, check=False).returncode
        seconds = time.perf_counter() - start
        if status != 0:
            print(
                f"{step.name}: exit status {status} after {duration(seconds)}; the same command "
                "goes on from here",
                file=sys.stderr,
            )
            return False
        after = before | {"made": digest(step.makes, root)}
        record[step.name] = {"state": after, "seconds": round(seconds, 1)}
        write_json(root / RECORD, record)
        print(f"{title}: {duration(seconds)}", flush=True)
    total = sum(record[step.name]["seconds"] for step in chosen)
    print(f"all of it: {duration(total)}")
    return True


def program(command: Sequence[str]) -> list[str]:
    """Return the words of a command with the programs of this environment."""
    name, *rest = command
    # The command's own name, and not that of a module, stands in the pages that it writes.
    folder = Path(sys.executable).parent
    return [str(folder / name) if (folder / name).exists() else name, *rest]


def duration(seconds: float) -> str:
    """Say a time in words.

    >>> duration(75.4), duration(3.26)
    ('1 min 15 s', '3 s')
    """
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def main() -> None:
    """Run as the module's docstring says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="STEP", help="default: all")
    parser.add_argument("--again", action="store_true", help="also steps that are done")
    given = parser.parse_args()
    os.chdir(ROOT)
    data = data_root()
    if data is None:
        parser.error("AUDIOINTERP_DATA does not name the clips, and data/ESC-50 is not there")
    # A path of this machine would stand in the pages.
    all_steps = steps(os.path.relpath(data))
    known = [step.name for step in all_steps]
    unknown = set(given.names) - set(known)
    if unknown:
        parser.error(f"{', '.join(sorted(unknown))}: there is {', '.join(known)}")
    chosen = [step for step in all_steps if not given.names or step.name in given.names]
    sys.exit(0 if run(chosen, ROOT, given.again) else 1)


if __name__ == "__main__":
    main()
