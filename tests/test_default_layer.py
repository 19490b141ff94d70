"""The layer that class activation maps take by themselves, on any kind of network; by hand."""

from types import SimpleNamespace

import pytest
import torch
from conftest import noise, small_classifier
from torch import nn
from torch.nn import functional

from audiointerp.errors import ArgumentError
from audiointerp.interpretation import AttentionRelevance, GradCAM, LayerCAM, is_constant, on_grid
from audiointerp.model.panns import Cnn6, Cnn10, Cnn14


class Block(nn.Module):
    """A residual block, as in ResNet: the activation comes after the sum and is used twice."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1)
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        return self.relu(self.conv2(self.relu(self.conv1(x))) + self.shortcut(x))


class ResNet(nn.Module):
    def __init__(self, strides):
        super().__init__()
        widths = [1, *(4 for _ in strides)]
        self.blocks = nn.Sequential(
            *(Block(width, 4, stride) for width, stride in zip(widths[:-1], strides, strict=True))
        )
        self.head = nn.Linear(4, 3)

    def forward(self, db):
        return self.head(self.blocks(db).mean((2, 3)))


def test_the_output_of_a_block_is_preferred_to_a_convolution_inside_of_it():
    """The last convolution inside of the residual branch was taken."""
    torch.manual_seed(0)
    network, db = ResNet((2, 2)), torch.randn(2, 1, 16, 48)
    for method in (GradCAM, LayerCAM):
        attribution = method(network)(db)
        assert attribution.info == {"layer": "blocks.1", "grid": (4, 12)}
        assert attribution.values.equal(method(network, network.blocks[1])(db).values)
    with torch.no_grad():
        features = network.blocks(db)
        target = network(db).argmax(1)
    coarse = torch.einsum("nc,ncft->nft", network.head.weight[target], features) / (4 * 12)
    expected = on_grid(coarse[:, None], db, "FT")
    assert torch.allclose(GradCAM(network)(db).values, expected, atol=1e-6)


def test_the_layer_has_cells_in_both_axes_or_at_least_in_time():
    torch.manual_seed(0)
    db = torch.randn(1, 1, 8, 64)
    # 8 bins become 4, 2, 1.
    assert GradCAM(ResNet((2, 2, 2)))(db).info == {"layer": "blocks.1", "grid": (2, 16)}
    over_time = nn.Sequential(nn.Conv2d(1, 4, (8, 3)), nn.ReLU(), Pooled(), nn.Linear(4, 2))
    assert GradCAM(over_time)(db).info == {"layer": "1", "grid": (1, 62)}


class Pooled(nn.Module):
    def forward(self, x):
        return x.flatten(2).mean(2)


class Unused(nn.Module):
    """Runs a convolution after the last layer that the logits depend on."""

    def __init__(self):
        super().__init__()
        self.layer, self.auxiliary = nn.Conv2d(1, 4, 3), nn.Conv2d(4, 4, 3)

    def forward(self, db):
        x = self.layer(db)
        self.auxiliary(x)
        return x.mean((2, 3))


def test_a_layer_that_does_not_reach_the_logits_is_not_taken():
    """It was, as the last convolution that runs, and its gradient does not exist."""
    torch.manual_seed(0)
    attribution = GradCAM(Unused())(torch.randn(1, 1, 8, 20))
    assert attribution.info["layer"] == "layer"
    assert not is_constant(attribution.values)


class Mixer(nn.Module):
    """Works with the channels last behind its convolution, so (W, C) must not pass for (F, T)."""

    def __init__(self):
        super().__init__()
        self.stem, self.dense = nn.Conv2d(1, 6, 3), nn.Linear(6, 6)
        self.block = nn.Sequential(self.dense, nn.GELU())

    def forward(self, db):
        return self.block(self.stem(db).permute(0, 2, 3, 1)).mean((1, 2))


def test_activations_with_the_channels_last_are_no_map():
    assert GradCAM(Mixer())(torch.randn(1, 1, 8, 20)).info["layer"] == "stem"


@pytest.mark.parametrize(
    ("kind", "layer", "grid"),
    [
        (Cnn6, "conv_block4.conv1", (8, 12)),
        (Cnn10, "conv_block4.conv2", (8, 12)),
        (Cnn14, "conv_block6.conv2", (2, 3)),
    ],
)
def test_the_layers_of_panns_are_those_of_the_committed_results(kind, layer, grid):
    network = kind(3, base_channels=4)
    db = torch.randn(1, 1, 64, 101)
    for wrapped in (network, nn.Sequential(network), nn.DataParallel(network)):
        info = GradCAM(wrapped)(db).info
        assert info["layer"].endswith(layer)
        assert info["grid"] == grid
    # Three blocks of poolings by two leave one cell in time of 40 frames, as before.
    if kind is Cnn14:
        assert GradCAM(network)(db[..., :40]).info["layer"] == "conv_block5.conv2"


def test_a_sequence_over_time_gives_a_map_that_is_the_same_at_all_frequencies():
    """By hand: the head takes the mean over time, so a channel's weight is the head's / T."""

    class Sequence(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.head = nn.Conv1d(8, 4, 3, 2), nn.Linear(4, 2)

        def forward(self, db):
            return self.head(self.conv(db[:, 0]).mean(2))

    torch.manual_seed(0)
    network, db = Sequence(), torch.randn(2, 1, 8, 21)
    attribution = GradCAM(network)(db, target=1)
    assert attribution.info == {"layer": "conv", "grid": (1, 10)}
    coarse = torch.einsum("c,nct->nt", network.head.weight[1], network.conv(db[:, 0])) / 10
    expected = functional.interpolate(coarse[:, None], 21, mode="linear")[:, :, None]
    assert torch.allclose(attribution.values, expected.expand(-1, -1, 8, -1), atol=1e-6)
    weights = network.head.weight[1].clamp_min(0)
    coarse = torch.einsum("c,nct->nt", weights, network.conv(db[:, 0])) / 10
    expected = functional.interpolate(coarse[:, None], 21, mode="linear")[:, :, None]
    layercam = LayerCAM(network)(db, target=1).values
    assert torch.allclose(layercam, expected.expand(-1, -1, 8, -1), atol=1e-6)


class Encoder(nn.Module):
    """A block of a transformer as in AST and ViT, with the normalisation first."""

    def __init__(self):
        super().__init__()
        self.before, self.after = nn.LayerNorm(8), nn.LayerNorm(8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.dense = nn.Linear(8, 8)

    def forward(self, tokens):
        x = self.before(tokens)
        tokens = tokens + self.attention(x, x, x)[0]
        return tokens + self.dense(self.after(tokens))


class Transformer(nn.Module):
    """Patches of 4 x 4 as tokens in the order of AST, behind tokens of the class and distillation.

    It takes clips of 32 frames alone, since its positions are learned.
    """

    def __init__(self, pooling="class", turned=False, described=True):
        super().__init__()
        if described:
            self.config = SimpleNamespace(image_size=(24, 32), patch_size=4)
        self.patches, self.turned, self.pooling = nn.Conv2d(1, 8, 4, 4), turned, pooling
        self.first = nn.Parameter(torch.randn(1, 2, 8))
        self.positions = nn.Parameter(torch.randn(1, 50, 8))
        self.blocks = nn.Sequential(Encoder(), Encoder())
        self.head = nn.Linear(8, 3)

    def forward(self, db):
        cells = self.patches(db.transpose(2, 3) if self.turned else db)
        patches = cells.flatten(2).transpose(1, 2)
        tokens = torch.cat([self.first.expand(len(db), -1, -1), patches], 1) + self.positions
        tokens = self.blocks(tokens)
        pooled = tokens[:, :2] if self.pooling == "class" else tokens[:, 2:]
        return self.head(pooled.mean(1))


def test_a_token_for_each_step_in_time():
    """As in wav2vec 2.0; by hand: the head takes the mean over the tokens."""

    class Steps(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.blocks = nn.Conv1d(8, 8, 3, 2), nn.Sequential(Encoder(), Encoder())
            self.head = nn.Linear(8, 2)

        def forward(self, db):
            return self.head(self.blocks(self.conv(db[:, 0]).transpose(1, 2)).mean(1))

    torch.manual_seed(0)
    network, db = Steps(), torch.randn(2, 1, 8, 41)
    attribution = GradCAM(network)(db, target=1)
    assert attribution.info == {"layer": "blocks.1", "grid": (1, 20)}
    tokens = network.blocks(network.conv(db[:, 0]).transpose(1, 2))
    coarse = (tokens @ network.head.weight[1])[:, None, None] / 20
    assert torch.allclose(attribution.values, on_grid(coarse, db, "FT"), atol=1e-6)
    assert AttentionRelevance(network)(db).info["grid"] == (1, 20)


def test_tokens_of_a_transformer_by_hand():
    """With the mean over the patches, a channel's weight is the head's / patches."""
    torch.manual_seed(0)
    network, db = Transformer("mean"), torch.randn(2, 1, 24, 32)
    attribution = GradCAM(network)(db, target=1)
    assert attribution.info == {"layer": "blocks.1", "grid": (6, 8)}
    outputs = []
    handle = network.blocks.register_forward_hook(lambda *run: outputs.append(run[2]))
    network(db)
    handle.remove()
    coarse = (outputs[0][:, 2:] @ network.head.weight[1]).reshape(2, 1, 6, 8) / 48
    assert torch.allclose(attribution.values, on_grid(coarse, db, "FT"), atol=1e-6)


def test_the_axes_of_tokens_are_those_of_the_patches():
    """The longer clip is refused at the positions; the patches have then been seen."""
    torch.manual_seed(0)
    straight = Transformer("mean")
    # 32 rows in time become 8, and 24 columns 6: the positions are those of the turned grid.
    turned = Transformer("mean", turned=True)
    turned.load_state_dict(straight.state_dict())
    order = torch.arange(48).reshape(6, 8).T.flatten()
    with torch.no_grad():
        turned.patches.weight.copy_(straight.patches.weight.transpose(2, 3))
        turned.positions[:, 2:] = straight.positions[:, 2:][:, order]
    db = torch.randn(1, 1, 24, 32)
    expected = GradCAM(straight)(db, target=0)
    attribution = GradCAM(turned)(db, target=0)
    assert attribution.info == expected.info
    assert torch.allclose(attribution.values, expected.values, atol=1e-6)


def test_where_the_class_token_decides_the_layer_is_before_the_last_attention():
    """At the last block's output the gradients of the patches are 0."""
    torch.manual_seed(0)
    network, db = Transformer(), torch.randn(1, 1, 24, 32)
    for method in (GradCAM, LayerCAM):
        attribution = method(network)(db)
        assert attribution.info == {"layer": "blocks.1.before", "grid": (6, 8)}
        assert not is_constant(attribution.values)
    assert not GradCAM(network, "blocks.1")(db).values.any()


def test_a_grid_of_tokens_can_be_given():
    torch.manual_seed(0)
    described = Transformer()
    network = Transformer(described=False)
    network.load_state_dict(described.state_dict())
    db = torch.randn(1, 1, 24, 32)
    expected = GradCAM(described)(db)
    with pytest.raises(ArgumentError, match=r"embeds patches.*grid=\(6, 8\) if"):
        GradCAM(network)(db)
    for layer in (None, "blocks.1.before"):
        attribution = GradCAM(network, layer, grid=(6, 8))(db)
        assert attribution.values.equal(expected.values)
    # Of another grid than the convolution's, which axis is time is not known.
    with pytest.raises(ArgumentError, match=r"12 rows of tokens.*layout='FT' if"):
        GradCAM(network, "blocks.1.before", grid=(12, 4))(db)
    assert GradCAM(network, "blocks.1.before", "TF", (12, 4))(db).info["grid"] == (4, 12)
    with pytest.raises(ArgumentError, match=r"more cells than .* has tokens, 50"):
        GradCAM(network, "blocks.1.before", grid=(8, 8))(db)
    for grid in ((0, 8), (8,), 48, "6x8"):
        with pytest.raises(ArgumentError, match="rows and columns of the tokens"):
            GradCAM(network, grid=grid)
    without_grid = nn.Sequential(nn.Flatten(2), nn.LayerNorm(6), Pooled(), nn.Linear(1, 2))
    with pytest.raises(ArgumentError, match=r"1 tokens .* give grid="):
        GradCAM(without_grid, "1")(torch.randn(1, 1, 2, 3))


class AtMost(nn.Module):
    """A network that takes clips of up to 101 frames."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, db):
        if db.shape[3] > 101:
            raise AssertionError("too long")
        return self.network(db)


def test_a_network_that_refuses_longer_clips_is_measured_on_a_shorter_one():
    """It was refused, and layout= asked for."""
    classifier = small_classifier()
    db = classifier.transform(noise(1.0)).db
    expected = GradCAM(classifier.network)(db)
    limited = AtMost(classifier.network)
    assert GradCAM(limited)(db).values.equal(expected.values)


def test_rows_reach_the_features_by_frequency():
    coarse = torch.randn(2, 1, 5, 7)
    db = torch.zeros(2, 1, 20, 30)
    bands = torch.logspace(2, 4, 20, dtype=torch.float64)
    assert torch.allclose(
        on_grid(coarse, db, "FT", bands, bands), on_grid(coarse, db, "FT"), atol=1e-6
    )
    turned = on_grid(coarse.transpose(2, 3), db, "TF", bands, bands)
    assert turned.equal(on_grid(coarse, db, "FT", bands, bands))
    # By hand: a front end of four bands, 100 Hz apart, and a map of two rows, of two bands each.
    rows = torch.tensor([[[[1.0], [5.0]]]])
    bands = torch.tensor([100.0, 200.0, 300.0, 400.0])
    hz = torch.tensor([0.0, 50.0, 100.0, 150.0, 250.0, 400.0, 499.0, 500.0])
    values = on_grid(rows, torch.zeros(1, 1, 8, 1), "FT", bands, hz).flatten()
    # The centres of the two rows are at 150 and 350 Hz.
    assert torch.allclose(values, torch.tensor([0.0, 1.0, 1.0, 1.0, 3.0, 5.0, 5.0, 0.0]))


def test_what_is_of_padding_is_cut_off_a_map():
    """Four cells, of which two are the clip's, over four frames: as eight frames, cut in half."""
    coarse, db = torch.tensor([[[[1.0, 3.0, 50.0, 90.0]]]]), torch.zeros(1, 1, 2, 4)
    values = on_grid(coarse, db, "FT", clip_share=0.5)
    assert values[0, 0].tolist() == [[1.0, 1.5, 2.5, 14.75]] * 2
    bands = torch.tensor([100.0, 200.0])
    assert on_grid(coarse, db, "FT", bands, bands, clip_share=0.5).equal(values)


def test_a_network_may_state_the_frequencies_of_its_front_end():
    """A front end that hears 100 to 400 Hz alone: what it does not hear gets 0."""

    class Narrow(nn.Module):
        def __init__(self):
            super().__init__()
            self.frequencies = torch.arange(16) * 100.0
            self.cell_frequencies = self.frequencies[1:5]
            self.conv = nn.Conv2d(1, 3, 1)

        def forward(self, db):
            return self.conv(db[:, :, 1:5]).mean((2, 3))

    torch.manual_seed(0)
    network, db = Narrow(), torch.randn(1, 1, 16, 9)
    attribution = GradCAM(network)(db, target=0)
    assert attribution.info["grid"] == (4, 9)
    expected = torch.zeros(1, 1, 16, 9)
    expected[:, :, 1:5] = network.conv(db[:, :, 1:5])[:, :1] / 36
    assert torch.allclose(attribution.values, expected, atol=1e-6)
    network.frequencies = network.frequencies[:8]
    with pytest.raises(ArgumentError, match="8 entries, the features 16 rows"):
        GradCAM(network)(db)
    del network.frequencies
    with pytest.raises(ArgumentError, match="give frequencies too"):
        GradCAM(network)(db)
    with pytest.raises(ArgumentError, match="must be rising"):
        on_grid(db, db, "FT", torch.tensor([3.0, 2.0]), torch.arange(16.0))
