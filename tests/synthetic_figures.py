"""The figures of docs/synthetic-clips.md: time per clip, the level as a map, mean spectra.

Usage: python tests/synthetic_figures.py
"""

import time

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from audiointerp import LogMel, Synthetic

TRAINING, TEST = (1, 2, 3, 4), (5,)


def level_areas(dataset, transform, index):
    """AUC of the level for the event's bins: of the audible ones, of those of either sound."""
    db = transform(dataset[index][0][None]).db
    event = dataset.support(index, transform)
    either = event | dataset.support(index, transform, "distractor")
    audible = db > db.max() - 60
    return [roc_auc_score(event[bins], db[bins]) for bins in (audible, either)]


def mean_spectra(folds, transform):
    dataset = Synthetic(folds, sample_rate=transform.sample_rate)
    spectra = [transform(wav[None]).db.mean(-1).flatten() for wav, _ in dataset]
    return torch.stack(spectra).numpy(), [row[2] for row in dataset.rows]


def linear_accuracies(transform):
    """Multinomial logistic regression on mean spectra, with strong to weak penalties."""
    train, test = mean_spectra(TRAINING, transform), mean_spectra(TEST, transform)
    strengths = (0.01, 0.1, 1.0, 100.0)
    models = [LogisticRegression(C=strength, max_iter=3000) for strength in strengths]
    return [make_pipeline(StandardScaler(), model).fit(*train).score(*test) for model in models]


if __name__ == "__main__":
    torch.set_num_threads(1)
    clips, mel = Synthetic(TEST), LogMel()
    start = time.process_time()
    for number in range(len(clips)):
        clips[number]
    print(f"{1000 * (time.process_time() - start) / len(clips):.0f} ms of one core for a clip")
    areas = np.mean([level_areas(clips, mel, number) for number in range(len(clips))], 0)
    print(f"AUC of the level: {areas[0]:.3f} of audible bins, {areas[1]:.3f} of either sound's")
    accuracies = " ".join(f"{accuracy:.3f}" for accuracy in linear_accuracies(mel))
    print(f"linear model on mean spectra, fold 5: {accuracies}")
