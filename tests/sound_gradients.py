"""Which gradients explain better what is heard: those of the features, or those through the sound?

Usage: python tests/sound_gradients.py ../shared/data/ESC-10 [--clips N] [--rows FILE]

The table of docs/any-model.md. The clips are of fold 5 of ESC-10; 40 take about 5 minutes of one
core. The rows of finished clips are kept in a file, and the same command goes on after them.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from fill_figures import BETTER, interval, recordings_of

import audiointerp as ai
from audiointerp.dataset import ESC50
from audiointerp.interpretation import METHODS
from audiointerp.paper.validity import frame_as_markdown
from audiointerp.tables import bootstrap_p_values, holm

STEPS = 20
"""Of integrated gradients."""
MASKS = ["topK_10", "topK_20", "topK_30"]
SCORES = {"FF": 3, "AD": 1, "FidIn": 2}
"""The scores, with the decimals that are shown."""
GRADIENTS = {"of the features": "features", "through the sound": "sound"}
ROWS = ["clip", "recording", "method", "mask", *SCORES]


class FrontEnd(torch.nn.Module):
    """What a transform computes, as a module on sounds ``(N, L)``."""

    def __init__(self, transform):
        super().__init__()
        self.transform = transform

    def forward(self, wav):
        return self.transform(wav[:, None]).db


def on_sounds(classifier, gradients):
    """The network behind its front end, as a module on sounds."""
    return ai.Classifier.from_waveform(
        torch.nn.Sequential(FrontEnd(classifier.transform), classifier.network),
        classifier.labels,
        sample_rate=classifier.sample_rate,
        duration=classifier.duration,
        normalize=classifier.normalize,
        grid=classifier.transform,
        gradients=gradients,
    )


def methods(model):
    """The methods of one model."""
    return [
        METHODS["saliency"](model.network),
        METHODS["integrated_gradients"](model.network, steps=STEPS),
    ]


def measure(clips, path):
    """The rows of all clips; a file keeps those of finished ones."""
    classifier = ai.Classifier.load("weights/esc10_mel_cnn10.safetensors")
    models = {name: on_sounds(classifier, given) for name, given in GRADIENTS.items()}
    parts = [pd.read_csv(path, dtype={"recording": str})] if path.is_file() else []
    done = set(parts[0]["clip"]) if parts else set()
    for number in range(len(clips)):
        if clips.clip_id(number) in done:
            continue
        one = torch.utils.data.Subset(clips, [number])
        for name, model in models.items():
            rows = ai.score(
                model, one, methods(model), MASKS, fill="background", nulls=[], progress=False
            )
            assert (rows["status"] == "ok").all(), rows["error"].tolist()
            parts.append(rows[ROWS].assign(gradients=name))
        pd.concat(parts).to_csv(path, index=False)
    return pd.concat(parts)


def differences(rows):
    """Both ways of each comparison, and the second minus the first, by clip."""
    compared = {}
    for (method, mask), part in rows.groupby(["method", "mask"], sort=False):
        for score in SCORES:
            values = part.pivot(index=["clip", "recording"], columns="gradients", values=score)
            values = values.astype(float)[list(GRADIENTS)]
            compared[method, mask, score] = values, values.iloc[:, 1] - values.iloc[:, 0]
    return compared


def table(rows):
    """Means of both, and the difference with its interval over recordings; bold after Holm."""
    compared = differences(rows)
    p_values = [
        float(bootstrap_p_values(by_clip.to_numpy()[:, None], recordings_of(by_clip))[0])
        for _, by_clip in compared.values()
    ]
    lines = {}
    for (comparison, both), p_value in zip(compared.items(), holm(np.array(p_values)), strict=True):
        method, mask, score = comparison
        values, by_clip = both
        decimals = SCORES[score]
        text = interval(by_clip, decimals, "+z")
        line = lines.setdefault((method, mask), {"method": method, "kept": f"{mask[5:]} %"})
        line[score] = ", ".join(f"{mean:.{decimals}f}" for mean in values.mean())
        line[f"{score}, difference"] = f"**{text}**" if p_value <= BETTER else text
    return frame_as_markdown(pd.DataFrame(lines.values()))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("--clips", type=int, default=40)
    parser.add_argument("--rows", type=Path, default=Path("sound_gradients.csv"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    fold = ESC50(options.data, (5,), "esc10")
    clips = ai.EvenSubset(fold, options.clips)
    rows = measure(clips, options.rows)
    print(f"{rows['clip'].nunique()} clips, {rows['recording'].nunique()} recordings\n")
    print(table(rows))


if __name__ == "__main__":
    main()
