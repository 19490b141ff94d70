"""What relative levels cost: how far masks move them, and how spread the gradient is.

Usage: python tests/relative_level_figures.py WEIGHTS OLDER_WEIGHTS ../shared/data/ESC-10
(a minute of one core). WEIGHTS was trained with --level-range, OLDER_WEIGHTS without.
"""

import sys

import torch
from removal_robustness import REMOVED_BY

import audiointerp as ai
from audiointerp.dataset import ESC50, EvenSubset, compute_features
from audiointerp.model.relative_level import PATCH, patch_levels
from audiointerp.processing.augmentation import lowest_share, random_blobs
from audiointerp.util import fill_levels

SHARES = (0.3, 0.7, 0.9)
PATCH_BINS = PATCH[0] * PATCH[1]


def loudest_patch(db):
    """The level of the loudest patch of each clip, in dB."""
    return patch_levels(db).flatten(1).amax(1)


def moved_levels(db):
    """A line per share and fill: by how much the loudest patch falls where blobs are removed."""
    lines = ["| removed | the loudest patch falls by (median) | 90 % quantile |", "|---|---|---|"]
    for share in SHARES:
        torch.manual_seed(0)
        fields = [random_blobs(*db.shape[2:]) for _ in db]
        removed = torch.stack([lowest_share(field, share) for field in fields])[:, None]
        for fill in REMOVED_BY:
            kept = torch.where(removed, fill_levels(db, fill), db)
            falls = loudest_patch(db) - loudest_patch(kept)
            median, most = falls.quantile(torch.tensor([0.5, 0.9])).tolist()
            lines.append(f"| {share:.0%}, {fill} | {median:.1f} dB | {most:.1f} dB |")
    return "\n".join(lines)


def share_of_largest(classifier, db):
    """The median over clips of the share of |gradient| in as many bins as a patch has."""
    gradients = torch.cat([ai.Saliency(classifier.network)(clip[None]).values for clip in db])
    magnitudes = gradients.abs().flatten(1)
    largest = magnitudes.topk(PATCH_BINS, 1).values.sum(1)
    return float((largest / magnitudes.sum(1)).median())


if __name__ == "__main__":
    relative, absolute = (ai.Classifier.load(path) for path in sys.argv[1:3])
    rate = relative.transform.sample_rate
    clips = EvenSubset(ESC50(sys.argv[3], (5,), "esc10", sample_rate=rate), 20)
    levels, _ = compute_features(clips, relative.transform, progress=False)
    print(moved_levels(levels))
    print(f"\nshare of |gradient| in the {PATCH_BINS} largest bins, median of {len(clips)} clips:")
    for name, classifier in (("relative levels", relative), ("absolute levels", absolute)):
        print(f"{name}: {share_of_largest(classifier, levels):.3f}")
