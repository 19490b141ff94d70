"""How many clips a forward pass takes, and that no place gives it more."""

import copy

import pytest
import torch
from optimal_mask import Analysis
from small import small_classifier
from torch import nn

from audiointerp import METHODS, Classifier, Cnn10, score
from audiointerp.interpretation import Saliency
from audiointerp.interpretation.score import Score
from audiointerp.model import optimized, version_log_probabilities, windows_of
from audiointerp.scoring import OutOfDistribution, classify_parts
from audiointerp.scoring.by_sound import decide_by_sound
from audiointerp.scoring.embeddings import embeddings_of, pooled
from audiointerp.scoring.part_outputs import ClipParts
from audiointerp.util import folded
from audiointerp.util.batches import FEW_BYTES, WEIGHTS_SHARE, forward_batch, set_forward_batch

FEW = {
    "lime": {"samples": 20},
    "rise": {"samples": 20},
    "rise_logit": {"samples": 20},
    "kernel_shap": {"samples": 150},
    "occlusion": {"samples": 20},
}


def heard(classifier):
    settings = {"sample_rate": classifier.sample_rate, "duration": classifier.duration}
    settings |= {"normalize": classifier.normalize, "grid": classifier.transform, "shape": "NCL"}
    return Classifier.from_waveform(Analysis(classifier), classifier.labels, **settings)


def noted(classifier):
    """A fast copy that takes two clips at a time, and the sizes of its forward passes."""
    fast, sizes = optimized(classifier, "folded"), []
    assert fast.network is not classifier.network
    set_forward_batch(fast.network, 2**30)
    fast.network.register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))
    return fast, sizes


@pytest.mark.parametrize("channels", [4, 16, 64])
def test_the_largest_output_is_that_of_the_first_convolution(channels):
    """By hand: 4 bytes times channels, frames and bins."""
    twin = folded(Cnn10(2, base_channels=channels).eval(), torch.rand(2, 1, 64, 130) * 80 - 80)
    assert forward_batch(twin, 10_000) == max(2, FEW_BYTES // (4 * channels * 130 * 64))
    assert forward_batch(twin, 2) == 2


def test_many_weights_are_read_for_several_clips():
    layer = nn.Linear(8192, 8192, bias=False, device="meta")
    set_forward_batch(layer, FEW_BYTES // 3)
    layer.to_empty(device="cpu")
    several = 4 * 8192**2 // (WEIGHTS_SHARE * (FEW_BYTES // 3))
    assert forward_batch(layer, 100) == several > 3


def test_four_threads_have_more():
    network = nn.Linear(2, 2)
    set_forward_batch(network, FEW_BYTES // 3)
    threads = torch.get_num_threads()
    try:
        for number, clips in ((1, 3), (2, 3), (3, 3), (4, 6)):
            torch.set_num_threads(number)
            assert forward_batch(network, 100) == clips
    finally:
        torch.set_num_threads(threads)


def test_another_device_takes_all():
    network = nn.Linear(2, 2)
    set_forward_batch(network, FEW_BYTES)
    assert forward_batch(network, 100) == 2
    assert forward_batch(copy.deepcopy(network), 100) == 2
    assert forward_batch(network.to("meta"), 100) == 100


@pytest.mark.parametrize("make", [lambda classifier: classifier, heard])
@pytest.mark.parametrize("on", ["features", "audio"])
def test_the_parts_are_divided(make, on):
    whole = make(small_classifier())
    fast, sizes = noted(whole)
    clip = fast.transform(torch.randn(1, 1, 32000, generator=torch.Generator().manual_seed(0)))
    masks = torch.rand(5, 1, *clip.db.shape[2:], generator=torch.Generator().manual_seed(1))
    target = torch.tensor([0])
    few = classify_parts(fast, clip, target, masks, on=on)
    # The clean clip, and the ten parts.
    assert sizes == [1, 2, 2, 2, 2, 2]
    together = classify_parts(whole, clip, target, masks, on=on)
    assert torch.allclose(few.probs, together.probs, atol=1e-5)


def test_versions_in_windows_are_divided():
    """Against the versions and windows one by one."""
    fast, sizes = noted(small_classifier())
    clip = fast.transform(torch.randn(1, 1, 80000, generator=torch.Generator().manual_seed(0)))
    shares = torch.rand(5, 1, *clip.db.shape[2:], generator=torch.Generator().manual_seed(1))
    versions = clip.db - 60 * shares
    windows = windows_of(fast, clip)
    with embeddings_of(fast.network) as embeddings:
        log_p, _ = version_log_probabilities(fast, windows, versions)
    assert sizes == [2, 2, 1] * len(windows.weights)
    alone = [version_log_probabilities(fast, windows, version[None])[0] for version in versions]
    assert torch.allclose(log_p, torch.cat(alone), atol=1e-5)
    assert not torch.allclose(log_p[:-1], log_p[1:], atol=1e-3)
    by_version = pooled(embeddings, windows.weights, 5)
    for number, version in enumerate(versions):
        with embeddings_of(fast.network) as own:
            version_log_probabilities(fast, windows, version[None])
        assert torch.allclose(by_version[number], pooled(own, windows.weights, 1)[0], atol=1e-5)


def test_distances_of_divided_parts():
    classifier = small_classifier()
    fast, sizes = noted(classifier)
    training = torch.rand(20, classifier.network.head.in_features, dtype=torch.float64)
    reference = OutOfDistribution(training, clean_distance=1.0)
    clip = fast.transform(torch.randn(1, 1, 32000, generator=torch.Generator().manual_seed(0)))
    masks = torch.rand(3, 1, *clip.db.shape[2:], generator=torch.Generator().manual_seed(1))
    parts = [ClipParts(each, clip, reference).outputs(masks)[0] for each in (fast, classifier)]
    assert sizes == [1, 2, 2, 2]
    assert parts[0].distances.isfinite().all()
    assert torch.allclose(parts[0].distances, parts[1].distances, rtol=1e-4)


@pytest.mark.parametrize("name", FEW)
@pytest.mark.parametrize("make", [lambda classifier: classifier, heard])
def test_versions_that_a_method_draws_are_divided(make, name):
    fast, sizes = noted(make(small_classifier()))
    clip = fast.transform(torch.randn(1, 1, 32000, generator=torch.Generator().manual_seed(0)))
    explainer = METHODS[name](fast.network, **FEW[name])
    explainer = explainer.bound_to(fast.bind(clip)) if fast.takes_sounds else explainer
    divided = explainer(clip.db).values
    assert max(sizes) == 2
    assert sizes.count(2) >= 5
    # As many at a time as the method makes.
    set_forward_batch(fast.network, 1)
    whole = explainer(clip.db).values
    assert max(sizes) > 10
    assert torch.allclose(divided, whole, atol=1e-4 * float(whole.abs().max()))


def test_sounds_of_the_verdict_are_divided():
    fast, sizes = noted(small_classifier())
    clip = fast.transform(torch.randn(1, 1, 32000, generator=torch.Generator().manual_seed(0)))
    attribution = Saliency(fast.network)(clip.db)
    sizes.clear()
    masks = torch.rand(5, 1, *clip.db.shape[2:], generator=torch.Generator().manual_seed(1))
    decide_by_sound(fast, clip, attribution, masks)
    assert sizes == [2, 2, 1]


def test_with_gradients_the_network_is_run_once():
    """A method may look at what its layers return."""
    fast, sizes = noted(small_classifier())
    db = 20 * torch.randn(5, 1, 64, 101, generator=torch.Generator().manual_seed(1)) - 50
    explained = Score(fast.network, torch.tensor([1]))
    whole = explained.probability(db)
    assert sizes == [5]
    with torch.no_grad():
        divided = explained.probability(db)
        log_p, _ = explained.log_probability(db)
    assert sizes[1:] == [2, 2, 1] * 2
    assert torch.allclose(divided, whole, atol=1e-6)
    assert torch.allclose(log_p.exp().float(), whole, atol=1e-6)


class WithItsOwnName(nn.Module):
    """A network of a user, whose method has a name of this library's."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward_batch(self, db):
        return self.network(db)

    def forward(self, db):
        return self.forward_batch(db)


def test_a_users_method_of_that_name_is_not_in_the_way():
    own = small_classifier()
    wrapped = WithItsOwnName(own.network)
    classifier = Classifier(wrapped, own.transform, own.labels, own.duration)
    assert optimized(classifier, "folded").network is not wrapped
    clips = [(torch.randn(32000, generator=torch.Generator().manual_seed(0)) * 0.1, "label0")]
    rows = score(classifier, clips, ["saliency"], masks=["topK_30"], nulls=[])
    assert set(rows["status"]) == {"ok"}
