"""Which block of a ResNet-18 Grad-CAM should take by default, where the last has two rows of cells.

Usage: python tests/resnet_layers.py ../shared/data/ESC-10 (about 12 minutes of one core)

Trains torchvision's ResNet-18 on the mel spectrograms of ESC-10 and scores Grad-CAM at each of its
last blocks on the 80 clips of fold 5.
"""

import argparse

import torch
from torch import nn
from torchvision.models import resnet18

import audiointerp as ai
from audiointerp.dataset import ESC50, compute_features
from audiointerp.experiments import TRAIN_FOLDS, VALID_FOLDS
from audiointerp.fit import FitSettings, fit, logits_of

LAYERS = ("layer2.1", "layer3.0", "layer3.1", "layer4.0", "layer4.1")
SHOWN = {"FidIn": 2, "AD": 1, "FF": 2, "AI": 2}


class Standardised(nn.Module):
    """ResNet-18 on levels in dB, which are brought to about -2 to 2 first."""

    def __init__(self, classes):
        super().__init__()
        self.resnet = resnet18(num_classes=classes)
        self.resnet.conv1 = nn.Conv2d(1, 64, 7, 2, 3, bias=False)

    def forward(self, db):
        return self.resnet((db + 40) / 20)


def trained(root, epochs):
    """The classifier, and its accuracy on fold 5."""
    transform = ai.Classifier.load("weights/esc10_mel_cnn10.safetensors").transform
    datasets = [ESC50(root, folds, "esc10") for folds in (TRAIN_FOLDS, VALID_FOLDS, (5,))]
    train, valid, test = (compute_features(clips, transform) for clips in datasets)
    torch.manual_seed(0)
    network = Standardised(len(datasets[0].labels))
    fit(network, train, valid, FitSettings(epochs=epochs))
    accuracy = (logits_of(network, test[0]).argmax(1) == test[1]).float().mean().item()
    return ai.Classifier(network, transform, datasets[0].labels), datasets[2], accuracy


def main(root, epochs):
    classifier, clips, accuracy = trained(root, epochs)
    methods = {layer: ai.GradCAM(classifier.network, f"resnet.{layer}") for layer in LAYERS}
    methods["default"] = ai.GradCAM(classifier.network)
    wav = clips[0][0]
    print(f"ResNet-18, {epochs} epochs, accuracy on fold 5: {accuracy:.3f}\n")
    for on, fill in (("features", "silence"), ("audio", "background")):
        rows = ai.score(classifier, clips, methods, ["topK_30"], on=on, fill=fill, nulls=[])
        print(f"{on}, {fill}:\n\n| layer | cells | {' | '.join(SHOWN)} |\n|---|---|" + "---|" * 4)
        for name, part in rows.groupby("method", sort=False):
            info = methods[name](classifier.transform(wav[None]).db).info if name in methods else {}
            means = [f"{part[score].mean():.{digits}f}" for score, digits in SHOWN.items()]
            print(f"| {name} | {info.get('grid', '')} | {' | '.join(means)} |")
        print()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root")
    parser.add_argument("--epochs", type=int, default=10)
    options = parser.parse_args()
    main(options.root, options.epochs)
