"""Lossy inversion from features alone."""

import numpy as np
import pytest
import torch
from conftest import around_peak, snr

from audiointerp.processing.spectrogram import LogMel, LogSTFT

MEL, STFT = LogMel(), LogSTFT()


def si_sdr(reference, other):
    """Scale-invariant signal-to-distortion ratio in dB."""
    scale = (reference * other).sum() / other.square().sum()
    return snr(reference, scale * other)


@pytest.mark.parametrize(("method", "median"), [("nnls", 13.6), ("lstsq", 13.1)])
def test_lossy_inversions_do_not_get_worse(method, median, clips):
    """Median SI-SDR in dB of the six clips' loudest 0.25 s; docs/hearing.md has the figures."""
    values = []
    for clip in clips:
        wav = around_peak(clip, 8000)
        values.append(si_sdr(wav, MEL(wav).to_wav(method)))
    assert float(np.median(values)) > median


def test_griffin_lim_brings_the_levels_back(clips):
    wav = around_peak(clips[0], 16000)
    before, after = MEL(wav).db, MEL(MEL(wav).to_wav("griffinlim")).db
    loud = before > before.max() - 40
    assert (after - before)[loud].abs().median() < 2


def test_lossy_inversion_of_stft_features_is_exact():
    wav = torch.randn(1, 1, 16100)
    assert snr(wav, STFT(wav).to_wav("lstsq")) > 100
