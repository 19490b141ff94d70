"""How often the intervals of skewed scores hold the true mean: percentiles, and BCa.

Usage: python tests/interval_coverage.py [SAMPLES]

Prints the table of docs/scores.md (4000 samples by default, about 3 minutes).
"""

import sys

import numpy as np

from audiointerp.tables.bca import ends
from audiointerp.tables.bootstrap import bootstrap_means, mean_of, means_without_each

LAWS = {
    "0/1, p = 0.9 (FidIn)": (lambda random, count: (random.random(count) < 0.9) * 1.0, 0.9),
    "Beta(5, 0.5) (FF)": (lambda random, count: random.beta(5, 0.5, count), 5 / 5.5),
    "lognormal(0, 1)": (lambda random, count: random.lognormal(0, 1, count), np.exp(0.5)),
    "exponential(1)": (lambda random, count: random.exponential(1, count), 1.0),
}
"""By name of a law: a sampler, and the mean."""
COUNTS = (10, 20, 57, 200)
"""Numbers of recordings; 10 was the fewest before, 57 are in the committed results."""


def coverage(law, count, samples, seed=0):
    """Share of the samples whose 95 % interval holds the mean, by method.

    >>> sorted(coverage("exponential(1)", 20, 1))
    ['BCa', 'percentiles']
    """
    sample, mean = LAWS[law]
    random = np.random.default_rng(seed)
    values = np.stack([sample(random, count) for _ in range(samples)], axis=1)
    draws = bootstrap_means(values)
    # Not bootstrap_interval, which gives none for 10 recordings.
    intervals = {
        "percentiles": np.percentile(draws, [2.5, 97.5], axis=0),
        "BCa": ends(draws, mean_of(values), means_without_each(values)),
    }
    return {
        method: float(np.mean((low <= mean) & (mean <= high)))
        for method, (low, high) in intervals.items()
    }


if __name__ == "__main__":
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 4000
    print("| score | recordings | percentiles | BCa |\n|---|---|---|---|")
    for name in LAWS:
        for recordings in COUNTS:
            shares = coverage(name, recordings, number)
            print(f"| {name} | {recordings} | {shares['percentiles']:.3f} | {shares['BCa']:.3f} |")
