"""What a clip costs in a run in shards: CPU seconds by method with Cnn14, and bytes of its rows.

python tests/scale_cost.py CLIPS METHOD...

One thread, real clips of 5 s; a Cnn14 of random weights, since their values change no time. The
plan is one mask, one fill, scores on audio, and one null.
"""

import sys
import tempfile
import time
from pathlib import Path

import torch
from real_run import write_manifest

from audiointerp.dataset import ManifestClips
from audiointerp.experiments import Experiment, run_shards
from audiointerp.model import Classifier, Cnn14
from audiointerp.processing import LogMel

PLAN = {
    "masks": ["topK_30"],
    "on": "audio",
    "fill": "background",
    "nulls": ["rolled"],
    "progress": False,
}


def cost(method, clips, folder):
    """CPU seconds and bytes of a clip by one method."""
    labels = tuple(sorted(set(clips.labels)))
    network = Cnn14(len(labels)).eval()
    classifier = Classifier(network, LogMel(), labels, 5.0)
    background = 0.1 * torch.randn(8, 1, 160000)
    begin = time.process_time()
    run_shards(
        Experiment("cost", "mel"),
        classifier,
        clips,
        [method],
        folder,
        background=classifier.transform(background).db if method == "shap" else None,
        **PLAN,
    )
    seconds = time.process_time() - begin
    size = sum(path.stat().st_size for path in folder.rglob("*.parquet"))
    return seconds / len(clips), size / len(clips)


def main(count, methods):
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clips = ManifestClips(write_manifest(folder, count))
        for method in methods:
            seconds, size = cost(method, clips, folder / method)
            print(f"{method}: {seconds:.1f} s of CPU and {size:.0f} bytes per clip", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
