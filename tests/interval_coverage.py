"""How often the intervals of skewed scores hold the true mean: percentiles, and BCa.

Usage: python tests/interval_coverage.py [SAMPLES]

Prints the table of docs/scores.md (4000 samples by default, about 3 minutes), then how often narrow
tails call a mean of differences with nothing behind them significant.
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

NARROW = 0.4
"""The level of a corrected comparison, in percent."""
NARROW_DRAWS = 40_000


def false_calls(samples, count=57, seed=0):
    """Share of the samples that each method calls significant at the narrow level.

    Each has so many differences, 9 of 10 of them 0 and the others 1 or −1 alike.
    """
    random = np.random.default_rng(seed)
    called = {"percentiles": 0, "BCa": 0}
    # One hundred at a time, since the draws of all samples would fill the memory.
    for _ in range(samples // 100):
        signs = random.choice([-1.0, 1.0], (count, 100))
        values = signs * (random.random((count, 100)) < 0.1)
        draws = bootstrap_means(values, draws=NARROW_DRAWS)
        intervals = {
            "percentiles": np.percentile(draws, [NARROW / 2, 100 - NARROW / 2], axis=0),
            "BCa": ends(draws, mean_of(values), means_without_each(values), 1 - NARROW / 100),
        }
        for method, (low, high) in intervals.items():
            called[method] += int(((low > 0) | (high < 0)).sum())
    return {method: number / (samples // 100 * 100) for method, number in called.items()}


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
    calls = false_calls(number)
    print(f"\ncalled significant at {NARROW} %, of {number} samples without a difference:")
    print(", ".join(f"{method} {100 * share:.1f} %" for method, share in calls.items()))
