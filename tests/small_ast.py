"""Trains a small AST of transformers on ESC-10 and explains it; run by hand, not by the tests.

About 10 minutes on one busy core: ``python tests/small_ast.py ESC10_FOLDER OUTPUT_FOLDER``. It
prints the accuracy on fold 5, the agreement with the owner's pipeline, and scores of two methods.
"""

import sys
from pathlib import Path

import pandas as pd
import torch
import transformers
from torch.nn import functional
from torch.utils.data import Dataset

import audiointerp as ai
from audiointerp.model.front_ends import KaldiFeatures

EPOCHS = 60
BATCH = 32
SECONDS = 5.0
FRAMES = 500


def dataset(root: Path, folds: tuple[int, ...]) -> Dataset:
    return ai.ESC50(
        root, folds=folds, subset="esc10", sample_rate=16000, duration=SECONDS, normalize="none"
    )


def features_of(
    data: Dataset, extractor: transformers.ASTFeatureExtractor
) -> tuple[torch.Tensor, torch.Tensor]:
    front_end = KaldiFeatures(extractor)
    wavs, targets = zip(*(data[number] for number in range(len(data))), strict=True)
    return torch.cat([front_end(wav) for wav in wavs]), torch.tensor(targets)


def augmented(features: torch.Tensor) -> torch.Tensor:
    """Roll each clip in time, and blank one band and one stretch of time."""
    clips = []
    for clip in features:
        clip = clip.roll(int(torch.randint(FRAMES, ())), 0).clone()
        start, band = int(torch.randint(FRAMES - 60, ())), int(torch.randint(56, ()))
        clip[start : start + 60] = 0
        clip[:, band : band + 8] = 0
        clips.append(clip)
    return torch.stack(clips)


def train(root: Path, folder: Path) -> None:
    torch.manual_seed(0)
    data = dataset(root, (1, 2, 3, 4))
    extractor = transformers.ASTFeatureExtractor(
        num_mel_bins=64, max_length=FRAMES, do_normalize=False
    )
    features, targets = features_of(data, extractor)
    mean, deviation = float(features.mean()), float(features.std())
    extractor = transformers.ASTFeatureExtractor(
        num_mel_bins=64, max_length=FRAMES, mean=mean, std=deviation
    )
    features = (features - mean) / (2 * deviation)
    config = transformers.ASTConfig(
        hidden_size=64,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=128,
        frequency_stride=16,
        time_stride=16,
        num_mel_bins=64,
        max_length=FRAMES,
        hidden_dropout_prob=0.1,
        id2label=dict(enumerate(data.labels)),
        label2id={label: number for number, label in enumerate(data.labels)},
    )
    model = transformers.ASTForAudioClassification(config).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.05)
    steps = EPOCHS * -(-len(features) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-3, total_steps=steps)
    for epoch in range(EPOCHS):
        total = 0.0
        for numbers in torch.randperm(len(features)).split(BATCH):
            logits = model(augmented(features[numbers])).logits
            loss = functional.cross_entropy(logits, targets[numbers], label_smoothing=0.1)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += float(loss.detach()) * len(numbers)
        print(f"epoch {epoch + 1}: loss {total / len(features):.3f}", file=sys.stderr)
    model.eval().save_pretrained(folder)
    extractor.save_pretrained(folder)


def explain(root: Path, folder: Path) -> None:
    model = transformers.AutoModelForAudioClassification.from_pretrained(folder)
    extractor = transformers.AutoFeatureExtractor.from_pretrained(folder)

    @torch.no_grad()
    def pipeline(samples):
        inputs = extractor(samples, sampling_rate=16000, return_tensors="pt")
        return model(**inputs).logits.softmax(-1)[0]

    data = dataset(root, (5,))
    classifier = ai.Classifier.from_transformers(folder)
    print(classifier.check(data, reference=pipeline))
    numbers = [number for number in range(len(data)) if number % 8 == 0]
    for method in ("integrated_gradients", "occlusion"):
        rows = []
        for number in numbers:
            result = ai.interpret(classifier, data[number][0][None], method)
            rows.append(result.scores)
            if number == 0:
                print(method, result)
        means = pd.DataFrame(rows).mean()
        print(f"{method}: FF {means['FF']:.2f}, AD {means['AD']:.1f}, FidIn {means['FidIn']:.1f}")


if __name__ == "__main__":
    if not (Path(sys.argv[2]) / "config.json").exists():
        train(Path(sys.argv[1]), Path(sys.argv[2]))
    explain(Path(sys.argv[1]), Path(sys.argv[2]))
