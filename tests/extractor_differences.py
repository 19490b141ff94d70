"""Prints how far the front ends of transformers differ from Hugging Face's extractors.

Usage: python tests/extractor_differences.py

The extractors have their default settings and are made here, so nothing is downloaded. The sounds
are six of random noise under a rising envelope, of 0.3 to 1.8 s.
"""

import torch
import transformers

from audiointerp.model.front_ends import (
    ClapFeatures,
    KaldiFeatures,
    StandardizedSound,
    WhisperFeatures,
)

FRONT_ENDS = {
    "AST": (KaldiFeatures, 16000),
    "Wav2Vec2": (StandardizedSound, 16000),
    "Whisper": (WhisperFeatures, 16000),
    "Clap": (ClapFeatures, 48000),
}
SECONDS = (0.3, 0.6, 0.9, 1.2, 1.5, 1.8)


def sound(seconds, rate, seed):
    """Noise that rises by 60 dB, ``(L,)``."""
    length = round(seconds * rate)
    generator = torch.Generator().manual_seed(seed)
    return 0.3 * torch.logspace(-3, 0, length) * torch.randn(length, generator=generator)


def largest_difference(kind):
    """The largest absolute difference of a feature over the sounds."""
    front_end, rate = FRONT_ENDS[kind]
    extractor = getattr(transformers, f"{kind}FeatureExtractor")()
    differences = []
    for seed, seconds in enumerate(SECONDS):
        wav = sound(seconds, rate, seed)
        features = extractor(wav.numpy(), sampling_rate=rate, return_tensors="pt")
        expected = features[extractor.model_input_names[0]]
        differences.append(float((front_end(extractor)(wav[None]) - expected).abs().max()))
    return max(differences)


if __name__ == "__main__":
    for name in FRONT_ENDS:
        print(f"{name}: {largest_difference(name):.1e}")
