"""A user's own Transform: round trips, masks, and what is refused."""

from dataclasses import dataclass

import pytest
import torch
from conftest import snr

from audiointerp.errors import ArgumentError
from audiointerp.processing import LogMel, LogSTFT, Transform


@dataclass(frozen=True)
class LinearBands(Transform):
    """Bands of ``width`` adjacent STFT bins."""

    width: int = 4

    @property
    def num_bins(self):
        return self.n_fft // 2 // self.width

    @property
    def frequencies(self):
        first_bins = torch.arange(self.num_bins, dtype=torch.float64) * self.width
        return (first_bins + (self.width - 1) / 2) * self.sample_rate / self.n_fft

    @property
    def band_filters(self):
        bands = torch.eye(self.num_bins).repeat_interleave(self.width, 1)
        return torch.nn.functional.pad(bands, (0, self.n_fft // 2 + 1 - bands.shape[1]))


@dataclass(frozen=True)
class Loudest(Transform):
    """The loudest bin of each band, which is no linear function of the bins."""

    width: int = 4
    num_bins = LinearBands.num_bins
    frequencies = LinearBands.frequencies

    def to_features(self, power):
        return power[:, :, :-1].unflatten(2, (self.num_bins, self.width)).amax(3)

    def lift(self, gain):
        lifted = gain.repeat_interleave(self.width, 2)
        return torch.cat([lifted, gain[:, :, -1:]], 2)


LINEAR, LOUDEST = LinearBands(16000, 256, 100), Loudest(16000, 256, 100)


@pytest.fixture
def wav():
    return torch.randn(1, 1, 8003, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("transform", [LINEAR, LOUDEST])
def test_round_trip_and_masks(transform, wav):
    spec = transform(wav)
    assert spec.db.shape == (1, 1, 32, transform.num_frames(8003))
    assert snr(wav, spec.to_wav()) > 100
    mask = (torch.rand_like(spec.db) < 0.5).float()
    for domain in ("db", "magnitude"):
        kept, removed = spec.masked(mask, domain), spec.masked(1 - mask, domain)
        assert snr(wav, kept.to_wav() + removed.to_wav()) > 100
        assert spec.masked(0 * mask, domain).to_wav().abs().max() == 0
    assert snr(wav, spec.masked(mask, fill="mean").to_wav()) < 100


def test_bands_sum_the_power_of_their_bins(wav):
    power = 10 ** (LogSTFT(16000, 256, 100)(wav).db / 10)
    expected = power[:, :, :128].unflatten(2, (32, 4)).sum(3)
    assert torch.allclose(LINEAR(wav).db, 10 * expected.log10(), atol=1e-3)
    band = torch.zeros(1, 1, 32, 81)
    band[:, :, 5] = 1
    kept = LogSTFT(16000, 256, 100)(LINEAR(wav).masked(band).to_wav()).db.mean(-1)[0, 0]
    assert 20 <= int(kept.argmax()) < 24


def test_lossy_inversions_use_the_band_filters(wav):
    spec = LINEAR(wav)
    for method in ("lstsq", "nnls", "griffinlim"):
        assert spec.to_wav(method).shape == wav.shape
    # Each band's power is spread evenly over its bins, and the original phase is kept.
    assert snr(wav, spec.to_wav("lstsq")) > 3


@pytest.mark.parametrize("method", ["lstsq", "nnls", "griffinlim"])
def test_other_features_have_no_lossy_inversion(method, wav):
    with pytest.raises(ArgumentError, match=r"Loudest has no band_filters: .*to_wav\('gain'\)"):
        LOUDEST(wav).to_wav(method)


def test_log1p_needs_stft_bins(wav):
    for transform, words in [
        (LINEAR, "use another domain with LinearBands"),
        (LogMel(16000, f_max=8000.0), "use another domain with LogMel"),
        (LOUDEST, "Loudest has no band_filters"),
    ]:
        spec = transform(wav)
        with pytest.raises(ArgumentError, match=words):
            spec.masked(spec.gain, "log1p")


def test_a_transform_without_features_is_refused(wav):
    class Unfinished(LogSTFT):
        band_filters = Transform.band_filters

    with pytest.raises(ArgumentError, match="Unfinished has no band_filters"):
        Unfinished()(wav)


@pytest.mark.parametrize("name", ["filters", "band_filters"])
def test_editing_the_filters_in_place_changes_nobody_elses(name, wav):
    transform = LogMel(16000, 256, 100, 20, 0.0, 8000.0)
    before = transform(wav)
    expected = getattr(transform, name).clone()
    getattr(transform, name).zero_()
    assert getattr(transform, name).equal(expected)
    assert LogMel(16000, 256, 100, 20, 0.0, 8000.0)(wav).db.equal(before.db)
