"""What commands print that docs/ quotes, kept in results/printed/, where a test finds it.

    python tests/printed.py DATA              each whose file is missing
    python tests/printed.py DATA NAME ...     these anew

DATA is ESC-10 in the layout of ESC-50. A file has each command behind a $, then what it printed.
Which page quotes which file, and which figures have none, is in tests/figure_places.py.
"""

import argparse
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from reproduce import program

from audiointerp.util import write_text

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "results" / "printed"
OF_ESC10 = "--data DATA --subset esc10"
ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1"}
"""The number of threads changes last bits."""
NETWORK = "weights/esc10_mel_cnn10.safetensors"
ABSOLUTE = "weights/esc10_mel_cnn10_absolute.safetensors"
LONG = "weights/esc10_mel_cnn10_long.safetensors"
NOISE = "weights/esc10_mel_cnn10_noise.safetensors"
RECIPE = "--level-range 100 --averaging 0.99 --precision bfloat16"
CNN6 = (
    f"audiointerp train {OF_ESC10} --network Cnn6 --base-channels 8 --epochs 25 --seeds 7 "
    "--out trained/cnn6",
    # What is printed names a network by its file.
    "cp trained/cnn6/esc10_mel_cnn6.safetensors trained/Cnn6.safetensors",
)
CNN10 = (
    f"audiointerp train {OF_ESC10} --network Cnn10 --base-channels 8 --epochs 25 --seeds 5 "
    "--out trained/cnn10"
)
NETWORKS = (
    "esc10-mel",
    "esc10-mel-noise",
    "esc10-mel-absolute",
    "esc10-stft",
    "esc10-stft-absolute",
)
VARIATIONS = (
    "start: none",
    "cells to 16 x 32",
    "four fills",
    "dropout",
    "weight noise",
    "gain",
    "time shift",
    "start: with integrated gradients",
    "two networks",
    "through the sound",
)
FILE = "esc10_mel_cnn10.safetensors"
"""Its name, of a network that `train` writes."""
GRADIENT_METHODS = 'optimal gradcam "layercam, early" saliency integrated_gradients'
COMMANDS: Mapping[str, Sequence[str]] = {
    "synthetic_figures": ["python tests/synthetic_figures.py"],
    "null_differences": ["python tests/null_differences.py DATA"],
    "extractor_differences": ["python tests/extractor_differences.py"],
    "interval_coverage": ["python tests/interval_coverage.py"],
    "removal_robustness": [f"python tests/removal_robustness.py {NETWORK} DATA"],
    "removal_robustness_absolute": [f"python tests/removal_robustness.py {ABSOLUTE} DATA"],
    "removal_robustness_long": [f"python tests/removal_robustness.py {LONG} DATA"],
    "removal_robustness_trained": [
        f"audiointerp train {OF_ESC10} --seeds 0 --level-range 60 --removal 0.2 --averaging 0.99 "
        "--precision bfloat16 --epochs 50 --out trained/removal",
        f"python tests/removal_robustness.py trained/removal/{FILE} DATA",
    ],
    "relative_levels": [f"python tests/relative_level_figures.py {NETWORK} {ABSOLUTE} DATA"],
    "sound_gradients": ["python tests/sound_gradients.py DATA --rows trained/sound_gradients.csv"],
    "level_weights": ["python tests/level_weights.py DATA"],
    "rise_variants": ["python tests/rise_variants.py DATA"],
    "long_recording": ["python tests/long_recording.py DATA"],
    "long_recording_absolute": [
        f"python tests/long_recording.py DATA --explain 0 --weights {ABSOLUTE}"
    ],
    "long_recording_birdnet": ["python tests/long_recording.py DATA --birdnet"],
    "resnet_layers": ["python tests/resnet_layers.py DATA"],
    "small_ast": ["python tests/small_ast.py DATA trained/ast"],
    "optimal_mask": [
        *CNN6,
        f"cp {ABSOLUTE} trained/absolute.safetensors",
        f"cp {NOISE} trained/noise.safetensors",
        "python tests/optimal_mask.py DATA --clips 60 --others trained/Cnn6.safetensors "
        "trained/absolute.safetensors trained/noise.safetensors",
    ],
    "optimal_mask_randomised": [
        "python tests/optimal_mask.py DATA --clips 24 --randomise --methods " + GRADIENT_METHODS
    ],
    "optimal_mask_seeds": [
        *(
            line
            for seed in (3, 4)
            for line in (
                f"audiointerp train {OF_ESC10} --seeds {seed} {RECIPE} --out trained/seed_{seed}",
                f"cp trained/seed_{seed}/{FILE} trained/seed{seed}.safetensors",
            )
        ),
        "python tests/optimal_mask.py DATA --clips 60 --others trained/seed3.safetensors "
        f"trained/seed4.safetensors --methods {GRADIENT_METHODS}",
    ],
    "optimal_mask_variations": [
        *CNN6,
        CNN10,
        "python tests/optimal_mask.py DATA --clips 6 --others trained/Cnn6.safetensors --second "
        f"trained/cnn10/{FILE} --methods {shlex.join(VARIATIONS)}",
    ],
    "trained_again": [
        f"audiointerp train {OF_ESC10} --seeds 0,1,2,5,6,7,8,9 {RECIPE} --out trained/again",
        "cat trained/again/esc10_mel_cnn10.md",
    ],
    "longer_training": ["python tests/longer_training.py DATA"],
    "trained_again_long": [
        f"audiointerp train {OF_ESC10} --seeds 3,4,5 {RECIPE} --epochs 180 --out trained/long",
        "cat trained/long/esc10_mel_cnn10.md",
    ],
    "lossy_inversions": ["python tests/lossy_inversions.py DATA"],
    "networks_on_fold_4": [
        f"python tests/rise_variants.py DATA --only gradient_components_8 --weights {name}"
        for name in NETWORKS
    ],
    "long_clips": ["python tests/long_clips.py DATA"],
    "long_clips_absolute": [f"python tests/long_clips.py DATA --weights {ABSOLUTE}"],
}
"""By name: the commands, one after another, of which each makes what the next one reads."""


def main() -> None:
    """Run as the module's docstring says; exit with 1 where a command failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", help="as it stands in the first lines of the files")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(COMMANDS))
    options = parser.parse_args()
    if unknown := set(options.names) - set(COMMANDS):
        parser.error(f"{', '.join(sorted(unknown))}: there is {', '.join(COMMANDS)}")
    names = options.names or [name for name in COMMANDS if not (FOLDER / f"{name}.txt").is_file()]
    for name in names:
        text = ""
        for line in (each.replace("DATA", shlex.quote(options.data)) for each in COMMANDS[name]):
            print(f"{name}: {line}", file=sys.stderr, flush=True)
            command = program(shlex.split(line))
            done = subprocess.run(
                command, cwd=ROOT, env=ONE_THREAD, stdout=subprocess.PIPE, text=True
            )
            if done.returncode:
                sys.exit(f"{name}: exit status {done.returncode}")
            text += f"$ {line}\n{done.stdout}"
        write_text(FOLDER / f"{name}.txt", text)


if __name__ == "__main__":
    main()
