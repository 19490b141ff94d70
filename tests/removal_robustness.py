"""Does a network keep its class when a clip is quieter, or when a part of it is removed?

Usage: python tests/removal_robustness.py WEIGHTS ../shared/data/ESC-10 (two minutes of one core)
"""

import sys

import torch

import audiointerp as ai
from audiointerp.dataset import ESC50
from audiointerp.processing.augmentation import lowest_share, random_blobs
from audiointerp.util import fill_levels

GAINS, SHARES, DRAWS = (0, -10, -20, -30), (0.1, 0.3, 0.5, 0.7, 0.9), 3
REMOVED_BY = ("background", "silence")


@torch.no_grad()
def predicted(classifier, db):
    """The classes of levels ``(N, 1, F, T)``."""
    return torch.cat([classifier.network(batch).argmax(1) for batch in db.split(16)])


def under_gains(classifier, wavs):
    """By gain in dB: the class of each sound ``(N, 1, L)``, played at that gain."""
    return {
        gain: predicted(classifier, classifier.transform(wavs * 10 ** (gain / 20)).db)
        for gain in GAINS
    }


def under_removal(classifier, db, fill):
    """By removed share: the classes after removal of random blobs, ``(draws, N)``."""
    filled = fill_levels(db, fill)
    classes = {}
    for share in SHARES:
        torch.manual_seed(0)
        draws = []
        for _ in range(DRAWS):
            fields = [random_blobs(*db.shape[2:]) for _ in db]
            removed = torch.stack([lowest_share(field, share) for field in fields])[:, None]
            draws.append(predicted(classifier, torch.where(removed, filled, db)))
        classes[share] = torch.stack(draws)
    return classes


def table(classifier, clips):
    """A line per gain and per removed share: how many keep their class, and the accuracy."""
    wavs = torch.stack([clips[index][0] for index in range(len(clips))])
    targets = torch.tensor([clips[index][1] for index in range(len(clips))])
    gains = under_gains(classifier, wavs)
    named = {f"gain of {gain} dB": classes for gain, classes in gains.items()}
    for fill in REMOVED_BY:
        removal = under_removal(classifier, classifier.transform(wavs).db, fill)
        named |= {f"{share:.0%} removed, {fill}": item for share, item in removal.items()}
    lines = [f"| {len(clips)} clips | FidIn | accuracy |", "|---|---|---|"]
    for name, classes in named.items():
        fidelity = (classes == gains[0]).float().mean()
        accuracy = (classes == targets).float().mean()
        lines.append(f"| {name} | {fidelity:.4f} | {accuracy:.4f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    network = ai.Classifier.load(sys.argv[1])
    transform = network.transform
    print(table(network, ESC50(sys.argv[2], (5,), "esc10", sample_rate=transform.sample_rate)))
