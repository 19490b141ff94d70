"""The picture of README and its figures: a rooster, why the network hears one, and both parts.

Usage: python tests/readme_picture.py ESC-10 docs/rooster
"""

import json
import sys
from pathlib import Path

import matplotlib.pyplot as plt

import audiointerp as ai
from audiointerp.scoring.by_sound import decide_by_sound
from audiointerp.scoring.verdict import COMPARED, random_masks
from audiointerp.util import atomic_write, write_text

CLIP = "5-233160-A-1.ogg"
"""Of the test fold; "Rooster - Crow 2 - 96kHz.wav" by JarredGibb, freesound.org, CC0."""
METHOD, MASK = "optimal", "topK_30"


def explain_rooster(data):
    """Explain the clip as README's lines do."""
    return ai.interpret(ai.load("esc10-mel"), Path(data) / "audio" / CLIP, METHOD, MASK)


def least_random_rest(result):
    """Return the least p of the rest that the verdict's random masks leave, as sounds."""
    kept = random_masks(result.spectrogram.db, METHOD, result.mask, MASK, COMPARED)
    place = (result.classifier, result.spectrogram, result.attribution)
    probs, column = decide_by_sound(*place, 1 - kept, fill=result.fill)
    return float(probs[:, column].min())


def figures_of(result):
    """Return what README says of the picture, p of sounds rounded as there."""
    return {
        "clip": CLIP,
        "method": METHOD,
        "mask": MASK,
        **{name: round(float(result.heard[name]), 3) for name in ("p", "p_in", "p_out")},
        "seconds": round(int(result.wav.nonzero()[-1, -1]) / result.sample_rate, 1),
        "p_out_random": round(least_random_rest(result), 3),
        "verdict": str(result.verdict),
    }


if __name__ == "__main__":
    result = explain_rooster(sys.argv[1])
    with atomic_write(f"{sys.argv[2]}.png") as part:
        figure = ai.plot.interpretation(result, plt.figure(figsize=(14, 3.2), layout="constrained"))
        figure.savefig(part, format="png", dpi=110)
    figures = json.dumps(figures_of(result), indent=1)
    write_text(f"{sys.argv[2]}.json", figures + "\n")
    print(figures)
