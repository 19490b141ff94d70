"""SHAP of networks as their authors write them: rewritten with equal logits, or refused."""

import copy
import math
import pickle

import pytest
import shap
import torch
from torch import Tensor, nn
from torch.nn import functional

from audiointerp.errors import ArgumentError, ModelError
from audiointerp.interpretation import SHAP
from audiointerp.interpretation.hidden import hidden_operations
from audiointerp.interpretation.preserve import preserve_state
from audiointerp.interpretation.replacements import REPLACEMENTS
from audiointerp.interpretation.rewrite import visible_network
from audiointerp.interpretation.shap import SHAP_MODULES
from audiointerp.interpretation.tracing import traced
from audiointerp.model.panns import Cnn10, Cnn14, ConvBlock, initialise

SHAPE = (1, 24, 32)
SMALL_GAP = 1e-4


def drawn(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


CLIPS = 10 * drawn(0, 2, *SHAPE)
BACKGROUND = 10 * drawn(1, 3, *SHAPE)


class Net(nn.Module):
    """A convolution, one function of its result, and a linear head."""

    def __init__(self, function, **modules):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, padding=1)
        for name, module in modules.items():
            self.add_module(name, module)
        self.head = nn.Linear(4, 3)
        self.function = function

    def forward(self, db):
        x = self.function(self, self.conv(db))
        return self.head(x.mean((2, 3)) if x.ndim == 4 else x)


def prepared(network, seed=2):
    """Draw weights, so that the logits differ by about 5 between clips."""
    initialise(network, seed)
    for number, module in enumerate(network.modules()):
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.copy_(0.3 * drawn(number, *module.running_mean.shape))
            module.running_var.copy_(1 + drawn(number, *module.running_var.shape) ** 2)
    network.eval()
    with torch.no_grad():
        network.head.weight *= 5 / network(torch.cat([CLIPS, BACKGROUND])).std(0).max()
    return network


def explained(network):
    """Explain both clips, and check that the values add up."""
    explainer = SHAP(network, BACKGROUND)
    attribution = explainer(CLIPS, target=1)
    assert attribution.info["additivity_gap"].nan_to_num().max() < SMALL_GAP
    assert attribution.info["difference"].abs().max() > 0.1
    return explainer, attribution.values


def deep_explainer(network, target=1):
    """shap itself, of a network whose nonlinear operations are all modules used once."""
    assert hidden_operations(network, CLIPS, {"ReLU", "MaxPool1d", "MaxPool2d"}) == []
    with preserve_state(network):
        values = shap.DeepExplainer(network, BACKGROUND).shap_values(CLIPS)
    return torch.from_numpy(values[..., target]).float()


def assert_same(values, expected):
    largest = expected.abs().max()
    assert largest > 1e-3
    torch.testing.assert_close(values, expected, rtol=0, atol=1e-5 * float(largest))


# ------------------------------------------------------------------ each replaced function

POOLINGS = [
    (kernel, stride, padding, dilation, ceil_mode)
    for kernel in (1, 2, 3, 5)
    for stride in (1, 2, 3)
    for padding in range(kernel // 2 + 1)
    for dilation in (1, 2)
    for ceil_mode in (False, True)
]


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_windows_side_by_side_have_the_maxima_of_torch(axes):
    """Bit-equal, for lengths that the windows fill and that they do not."""
    pool = getattr(functional, f"max_pool{axes}d")
    for lengths in ((10, 13, 11), (12, 9, 14)):
        x = drawn(3, 2, 3, *lengths[:axes])
        for settings in POOLINGS:
            module = REPLACEMENTS[f"max_pool{axes}d"](x, *settings)
            assert module(x).equal(pool(x, *settings)), settings
            kernel, stride, _, dilation, _ = settings
            as_it_is = stride >= kernel and dilation == 1
            assert isinstance(module, getattr(nn, f"MaxPool{axes}d")) is as_it_is


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_adaptive_windows_have_the_maxima_of_torch(axes):
    pool = getattr(functional, f"adaptive_max_pool{axes}d")
    x = drawn(3, 2, 3, *(11, 8, 5)[:axes])
    for outputs in (1, 2, 3, 5, (4, None, 2)[:axes]):
        assert REPLACEMENTS[f"adaptive_max_pool{axes}d"](x, outputs)(x).equal(pool(x, outputs))


@pytest.mark.parametrize("axes", [1, -1, (2,), (1, 3), (-1, 1), (1, 2, 3)])
@pytest.mark.parametrize("keepdim", [False, True])
def test_the_largest_over_axes_is_amax(axes, keepdim):
    x = drawn(3, 2, 3, 4, 5)
    assert REPLACEMENTS["amax"](x, axes, keepdim)(x).equal(x.amax(axes, keepdim))


def test_a_maximum_over_clips_has_no_module():
    x = drawn(3, 2, 3)
    assert REPLACEMENTS["amax"](x, (0, 1)) is None
    assert REPLACEMENTS["amax"](x) is None
    assert REPLACEMENTS["max"](x) is None
    assert REPLACEMENTS["max"](x, x) is None


ELEMENTWISE = {
    "relu": functional.relu,
    "relu_": functional.relu_,
    "relu inplace": lambda x: functional.relu(x, inplace=True),
    "relu by keyword": lambda x: functional.relu(input=x),
    "method": lambda x: x.relu(),
    "leaky_relu": lambda x: functional.leaky_relu(x, 0.2),
    "elu": lambda x: functional.elu(x, 1.5),
    "selu": functional.selu,
    "gelu": functional.gelu,
    "gelu by tanh": lambda x: functional.gelu(x, approximate="tanh"),
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "softplus": functional.softplus,
    "relu6": functional.relu6,
    "hardtanh": functional.hardtanh,
    "clamp to 0": lambda x: x.clamp(min=0),
    "clamp": lambda x: torch.clamp(x, -2.0, 3.0),
    "clamp from above": lambda x: x.clip(max=1.5),
    "clamp_max": lambda x: x.clamp_max(0.5),
    "clamp_min": lambda x: torch.clamp_min(x, -0.5),
    "log": lambda x: torch.log(1e-3 + functional.relu(x)),
    "log2": lambda x: x.clamp(min=1e-10).log2(),
    "dB": lambda x: 10 * torch.log10(x.clamp(min=1e-10)),
    "log1p": lambda x: torch.log1p(functional.relu(x)),
}


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_a_function_of_each_entry_gets_deeplift_s_rule(name):
    """The rescale rule by its definition: the multiplier is (f(a) - f(b)) / (a - b)."""
    function = ELEMENTWISE[name]
    clips, background = CLIPS.double(), BACKGROUND.double()
    network = prepared(Net(lambda net, x: function(x))).double()
    attribution = SHAP(network, background)(clips, target=1)
    assert attribution.info["additivity_gap"].nan_to_num().max() < 1e-6
    expected = torch.zeros_like(clips)
    with torch.no_grad():
        for number, clip in enumerate(clips[:, None]):
            a, b = network.conv(clip), network.conv(background)
            rescale = (function(a.clone()) - function(b.clone())) / (a - b)
            weighted = network.head.weight[1][:, None, None] * rescale / a[0, 0].numel()
            back = functional.conv_transpose2d(weighted, network.conv.weight, padding=1)
            expected[number] = (back * (clip - background)).mean(0)
    largest = float(expected.abs().max())
    torch.testing.assert_close(attribution.values, expected, rtol=0, atol=1e-6 * largest)


@pytest.mark.parametrize(("name", "base"), [("log", math.e), ("log2", 2), ("log10", 10)])
def test_the_logarithm_is_precise_for_close_and_for_distant_entries(name, base):
    clip = torch.tensor([1.0, 1.0, 1.0, 1e-10, 1e6, 2.0])
    other = torch.tensor([1.0, 1.0 + 2e-7, 1e-12, 1.0, 1e-6, 2.5])
    x = torch.stack([clip, other]).requires_grad_()
    module = REPLACEMENTS[name](x)
    assert module(x).equal(getattr(x, name)())
    module(x)[0].sum().backward()
    a, b = clip.double(), other.double()
    expected = torch.where(a == b, 1 / b, torch.log(a / b) / (a - b)) / math.log(base)
    torch.testing.assert_close(x.grad[0].double(), expected, rtol=1e-6, atol=0)


def test_the_slope_of_a_clamp_and_of_log1p_by_hand():
    x = torch.tensor([[7.0, 2.0, -1.0, 3.0, 9.0], [-2.0, 1.0, -3.0, 3.0, 9.0]]).requires_grad_()
    module = REPLACEMENTS["relu6"](x)
    assert module(x).equal(functional.relu6(x))
    module(x)[0].sum().backward()
    assert x.grad[0].tolist() == pytest.approx([6 / 9, 1, 0, 1, 0])
    y = torch.tensor([[3.0, 1.0], [0.0, 1.0]]).requires_grad_()
    REPLACEMENTS["log1p"](y)(y)[0].sum().backward()
    assert y.grad[0].tolist() == pytest.approx([math.log(4) / 3, 0.5])


MAXIMA = {
    "overlapping": lambda net, x: functional.max_pool2d(x, 3, 2, padding=1),
    "dilated": lambda net, x: functional.max_pool2d(x, 3, 3, dilation=2, ceil_mode=True),
    "plain": lambda net, x: functional.max_pool2d(x, 4, padding=1, ceil_mode=True),
    "adaptive": lambda net, x: functional.adaptive_max_pool2d(x, (5, 1)),
    "over time and bands": lambda net, x: x.amax((2, 3)),
    "tuple": lambda net, x: torch.max(torch.max(x, dim=3)[0], 2).values,
    "kernel of the size": lambda net, x: functional.max_pool2d(x, kernel_size=x.size()[2:]),
}


@pytest.mark.parametrize("name", MAXIMA)
def test_maxima_add_up(name):
    explained(prepared(Net(MAXIMA[name])))


def test_overlapping_windows_by_hand():
    """Two windows share the only entry that differs from the background, so it adds 3 to each."""

    class Overlapping(nn.Module):
        def forward(self, db):
            sums = functional.max_pool1d(db.flatten(2), 2, 1).sum(2)
            return torch.cat([sums, 0 * sums], 1)

    clip = torch.tensor([0.0, 3.0, 0.0]).view(1, 1, 1, 3)
    values = SHAP(Overlapping(), torch.zeros_like(clip))(clip, target=0).values
    assert values.flatten().tolist() == [0.0, 6.0, 0.0]


# ------------------------------------------------------------------ networks, beside shap's own


class Residual(nn.Module):
    """torchvision's BasicBlock and stem: one ReLU for all, += and overlapping max pooling."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 4, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(4)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.conv2 = nn.Conv2d(4, 4, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(4)
        self.conv3 = nn.Conv2d(4, 4, 3, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(4)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(4, 3)

    def forward(self, db):
        x = self.maxpool(self.relu(self.bn1(self.conv1(db))))
        identity = x
        out = self.relu(self.bn2(self.conv2(x)))
        out = self.bn3(self.conv3(out))
        out += identity
        return self.head(torch.flatten(self.avgpool(self.relu(out)), 1))


class ResidualOfModules(Residual):
    """The same by hand: a ReLU for each use, and im2col in place of overlapping windows."""

    def __init__(self):
        super().__init__()
        self.relu1, self.relu2, self.relu3 = nn.ReLU(), nn.ReLU(), nn.ReLU()
        self.windows = nn.MaxPool1d(9)

    def forward(self, db):
        x = self.relu1(self.bn1(self.conv1(db)))
        # The entries are not negative, so zeros may pad them.
        clips, channels, bins, frames = x.shape
        columns = functional.unfold(x, 3, padding=1, stride=2).view(clips, channels, 9, -1)
        windows = columns.transpose(2, 3).flatten(2)
        x = self.windows(windows).view(clips, channels, bins // 2, frames // 2)
        out = self.bn3(self.conv3(self.relu2(self.bn2(self.conv2(x)))))
        return self.head(torch.flatten(self.avgpool(self.relu3(out + x)), 1))


class PannBlock(nn.Module):
    """The convolutional block of the official PANNs."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(outputs), nn.BatchNorm2d(outputs)

    def forward(self, input, pool_size=(2, 2), pool_type="avg"):
        x = input
        x = functional.relu_(self.bn1(self.conv1(x)))
        x = functional.relu_(self.bn2(self.conv2(x)))
        if pool_type == "max":
            x = functional.max_pool2d(x, kernel_size=pool_size)
        elif pool_type == "avg":
            x = functional.avg_pool2d(x, kernel_size=pool_size)
        else:
            raise ValueError(pool_type)
        return x


class OfficialPann(nn.Module):
    """The official Cnn10's forward after its front end, with two blocks."""

    def __init__(self):
        super().__init__()
        self.bn0 = nn.BatchNorm2d(24)
        self.conv_block1, self.conv_block2 = PannBlock(1, 4), PannBlock(4, 8)
        self.fc1 = nn.Linear(8, 8)
        self.head = nn.Linear(8, 3)

    def forward(self, input, mixup_lambda=None):
        x = input.transpose(2, 3).transpose(1, 3)
        x = self.bn0(x)
        x = x.transpose(1, 3)
        if self.training and mixup_lambda is not None:
            raise NotImplementedError
        for block in (self.conv_block1, self.conv_block2):
            x = block(x, pool_size=(2, 2), pool_type="avg")
            x = functional.dropout(x, p=0.2, training=self.training)
        x = torch.mean(x, dim=3)
        (x1, _) = torch.max(x, dim=2)
        x2 = torch.mean(x, dim=2)
        x = x1 + x2
        x = functional.dropout(x, p=0.5, training=self.training)
        x = functional.relu_(self.fc1(x))
        return self.head(x)


class OurPann(nn.Module):
    """The same of our modules, each of which is used once."""

    def __init__(self):
        super().__init__()
        self.bn0 = nn.BatchNorm2d(24)
        self.conv_block1, self.conv_block2 = ConvBlock(1, 4), ConvBlock(4, 8)
        self.pool_time = nn.MaxPool1d(8)
        self.fc1, self.relu = nn.Linear(8, 8), nn.ReLU()
        self.head = nn.Linear(8, 3)

    def forward(self, db):
        x = self.bn0(db.transpose(1, 2)).permute(0, 2, 3, 1)
        x = self.conv_block2(self.conv_block1(x)).mean(3)
        return self.head(self.relu(self.fc1(self.pool_time(x)[:, :, 0] + x.mean(2))))


class VGG(nn.Module):
    """Functional ReLU and pooling, and the number of clips from len(x)."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 8, 3, padding=1)
        self.dropout = nn.Dropout(0.5)
        self.fc = nn.Linear(8 * 6 * 8, 16)
        self.head = nn.Linear(16, 3)

    def forward(self, db):
        x = functional.max_pool2d(functional.relu(self.conv1(db)), 2)
        x = functional.max_pool2d(functional.relu(self.conv2(x), inplace=True), 2)
        x = functional.relu(self.fc(x.view(len(x), -1)))
        return self.head(self.dropout(x))


class VGGOfModules(VGG):
    def __init__(self):
        super().__init__()
        self.relu1, self.relu2, self.relu3 = nn.ReLU(), nn.ReLU(), nn.ReLU()
        self.pool1, self.pool2 = nn.MaxPool2d(2), nn.MaxPool2d(2)

    def forward(self, db):
        x = self.pool1(self.relu1(self.conv1(db)))
        x = self.pool2(self.relu2(self.conv2(x)))
        return self.head(self.dropout(self.relu3(self.fc(x.flatten(1)))))


PAIRS = [(Residual, ResidualOfModules), (OfficialPann, OurPann), (VGG, VGGOfModules)]


@pytest.mark.parametrize(("written", "by_hand"), PAIRS)
def test_the_values_are_those_of_shap_on_a_network_of_modules(written, by_hand):
    network = prepared(written())
    modules = by_hand().eval()
    modules.load_state_dict(network.state_dict())
    _, values = explained(network)
    assert_same(values, deep_explainer(modules))


@pytest.mark.parametrize("kind", [Cnn10, Cnn14])
def test_our_networks_behind_a_functional_layer(kind):
    """Their forwards ask for the shape and the device, and set a kernel size."""

    class Behind(nn.Module):
        def __init__(self):
            super().__init__()
            self.network = kind(3, base_channels=4)
            self.scale = nn.Parameter(torch.tensor(2.0))

        def forward(self, db):
            return self.network(self.scale * functional.leaky_relu(db, 0.5))

    shape = (1, 64, 70)
    network, background, clip = Behind().eval(), 9 * drawn(1, 3, *shape), 9 * drawn(2, 1, *shape)
    initialise(network, 3)
    with torch.no_grad():
        network.network.head.weight *= 5 / network(torch.cat([clip, background])).std(0).max()
    before = network.network.pool_time.kernel_size
    info = SHAP(network, background)(clip).info
    assert info["difference"].abs() > 0.1
    assert info["additivity_gap"] < SMALL_GAP
    SHAP(network, background)
    assert type(network.network.pool_time.kernel_size) is type(before) is int


def test_torchvision_s_resnet18():
    models = pytest.importorskip("torchvision.models", reason="torchvision is not a dependency")
    network = models.resnet18(num_classes=3)
    network.conv1 = nn.Conv2d(1, 64, 7, 2, 3, bias=False)
    network.head = network.fc
    info = SHAP(prepared(network), BACKGROUND[:2])(CLIPS[:1], target=1).info
    assert info["difference"].abs() > 0.1
    assert info["additivity_gap"] < SMALL_GAP


# ------------------------------------------------------------------ what a forward may do

FORWARDS = {
    "asks": lambda net, x: functional.relu(x) if isinstance(x, Tensor) and x.shape[3] > 8 else x,
    "unpacks the shape": lambda net, x: torch.relu(x).reshape(x.shape[0], 4, -1, x.shape[3]),
    "loops": lambda net, x: torch.cat([torch.relu(part) for part in x.split(8, 3)], 3),
    "concatenates": lambda net, x: torch.cat([torch.relu(x), torch.zeros_like(x)], 1)[:, :4],
    "makes tensors": lambda net, x: torch.relu(x) + x.new_ones(x.shape[0], 4, 1, 1),
    "checks": lambda net, x: torch.relu(x) if bool(x.isfinite().all()) else -x,
    "has constants": lambda net, x: torch.relu(x) + torch.arange(32.0),
    "has linear functions": lambda net, x: functional.interpolate(torch.relu(x), scale_factor=2),
}


def changing_in_place(net, x):
    x = net.act(x)
    x += 1
    x.mul_(2)
    functional.relu_(x)
    x.clamp_(max=20.0)
    return x


@pytest.mark.parametrize("name", FORWARDS)
def test_forwards_that_are_followed(name):
    explained(prepared(Net(FORWARDS[name])))


def test_operations_in_place_are_followed():
    explained(prepared(Net(changing_in_place, act=nn.ReLU())))


def test_a_module_used_twice_and_unknown_modules_of_known_functions():
    network = Net(
        lambda net, x: net.large(net.six(net.act(net.conv2(net.act(x))))),
        act=nn.ReLU(inplace=True),
        conv2=nn.Conv2d(4, 4, 3),
        six=nn.ReLU6(),
        large=nn.AdaptiveMaxPool2d(4),
    )
    explained(prepared(network))


def test_a_wrapper_of_a_network_is_followed():
    inner = prepared(Residual())
    _, values = explained(inner)
    wrapped = nn.Sequential(nn.Identity(), nn.DataParallel(inner, device_ids=[]))
    assert SHAP(wrapped, BACKGROUND)(CLIPS, target=1).values.equal(values)


def test_an_exported_network_is_followed():
    network = prepared(Residual())
    _, values = explained(network)
    clips = torch.export.Dim("clips", min=1, max=64)
    exported = torch.export.export(network, (CLIPS,), dynamic_shapes={"db": {0: clips}})
    assert_same(SHAP(exported.module(), BACKGROUND)(CLIPS, target=1).values, values)


def test_float64_and_a_background_of_one_clip():
    network = prepared(Residual()).double()
    info = SHAP(network, BACKGROUND[:1].double())(CLIPS.double()).info
    assert info["additivity_gap"].nan_to_num().max() < 1e-9


# ------------------------------------------------------------------ what is refused


class Excited(nn.Module):
    """Squeeze and excitation."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Conv2d(4, 4, 1)

    def forward(self, x):
        return x * torch.sigmoid(self.fc(x.mean((2, 3), keepdim=True)))


def attention_pooling(net, x):
    frames = x.mean(2).transpose(1, 2)
    return (torch.softmax(net.score(frames), 1) * frames).sum(1)


REFUSED = {
    "mul in se (Excited)": (lambda net, x: net.se(torch.relu(x)), {"se": Excited()}),
    "_softmax in the network itself (Net)": (attention_pooling, {"score": nn.Linear(4, 1)}),
    "silu in act (SiLU)": (lambda net, x: net.act(torch.relu(x)), {"act": nn.SiLU()}),
    "hardswish in act": (lambda net, x: net.act(torch.relu(x)), {"act": nn.Hardswish()}),
    "layer_norm in norm": (lambda net, x: net.norm(torch.relu(x)), {"norm": nn.LayerNorm(32)}),
    "in lstm (LSTM)": (
        lambda net, x: torch.relu(net.lstm(x.mean(2).transpose(1, 2))[0]).mean(1),
        {"lstm": nn.LSTM(4, 4, batch_first=True)},
    ),
    "bmm in": (lambda net, x: torch.relu(x) @ x.transpose(2, 3), {}),
    "where in": (lambda net, x: torch.where(x > 0, x, 0.0), {}),
    "maximum in": (lambda net, x: torch.maximum(x, x.flip(3)), {}),
    "pow in": (lambda net, x: torch.relu(x) ** 2, {}),
    "max in": (lambda net, x: x.max(3, True).values + 0.1 * x.max(3, True).indices, {}),
}


@pytest.mark.parametrize("finding", REFUSED)
def test_what_has_no_rule_is_refused_in_a_line(finding):
    function, modules = REFUSED[finding]
    with pytest.raises(ModelError) as caught:
        SHAP(Net(function, **modules).eval(), BACKGROUND)
    message = str(caught.value)
    assert message.startswith("SHAP cannot see through ")
    assert finding in message
    assert "gradient_shap" in message
    assert "\n" not in message
    assert len(message) < 400


def test_a_refusal_names_an_operation_of_each_kind():
    blocks = [nn.Sequential(nn.SiLU(), Excited()) for _ in range(5)]
    network = Net(lambda net, x: net.blocks(x), blocks=nn.Sequential(*blocks)).eval()
    text = r"silu in blocks\.0\.0 \(SiLU\); mul in blocks\.0\.1 \(Excited\) and 8 more: no module"
    with pytest.raises(ModelError, match=text):
        SHAP(network, BACKGROUND)


def assigning(net, x):
    x = torch.relu(x)
    x[:, 0] = 0
    return x


def test_a_forward_that_torch_fx_cannot_follow_is_refused():
    with pytest.raises(ModelError, match=r"relu in .*torch\.fx cannot follow .*item assignment"):
        SHAP(Net(assigning).eval(), BACKGROUND)


class Choosing(Net):
    def forward(self, db):
        return super().forward(db if db.mean() > 0 else -2 * db)


def test_a_choice_that_depends_on_the_clips_is_refused():
    network = prepared(Choosing(lambda net, x: torch.relu(x)))
    high, low = BACKGROUND + 9, BACKGROUND - 9
    with pytest.raises(
        ModelError, match=r"logits change by .* as if its forward chose by the clips"
    ):
        SHAP(network, torch.cat([high] * 4 + [low] * 4))
    assert SHAP(network, high)(high[:1]).values.isfinite().all()
    with pytest.raises(
        ModelError, match=r"answers a clip otherwise with the other clips in its batch"
    ):
        SHAP(network, high)(low[:1])


def test_frames_along_the_first_axis_are_refused():
    """shap would compare the first half of the frames with the second half."""

    def frames_first(net, x):
        return torch.relu(x.mean(2).permute(2, 0, 1)).mean(0)

    with pytest.raises(ModelError, match="relu: its input does not have the clips along its first"):
        SHAP(Net(frames_first).eval(), BACKGROUND)


def test_a_background_that_does_not_fit_is_refused_as_before():
    with pytest.raises(ArgumentError, match="cannot take the background"):
        SHAP(prepared(VGG()), BACKGROUND[..., :20])


# ------------------------------------------------------------------ the network stays as it was


def test_what_shap_sees_is_not_rewritten():
    """Such networks get bit-equal values: shap gets the network itself."""
    network = prepared(OurPann())
    explainer, values = explained(network)
    assert explainer._rewritten is None
    assert_same(values, deep_explainer(network))
    with preserve_state(network):
        assert visible_network(network, BACKGROUND, {"ReLU", "MaxPool1d"}) is network


@pytest.mark.parametrize("kind", [Residual, OfficialPann, VGG])
def test_the_network_is_not_changed_and_its_weights_are_shared(kind):
    network = prepared(kind()).train()
    network.head.register_forward_hook(lambda *_: None)
    network.head.weight.grad = torch.ones_like(network.head.weight)
    attributes = {name: dict(vars(module)) for name, module in network.named_modules()}
    state = {name: value.clone() for name, value in network.state_dict().items()}
    explainer = SHAP(network, BACKGROUND)
    explainer(CLIPS)
    for name, module in network.named_modules():
        assert vars(module).keys() == attributes[name].keys()
        for key, value in attributes[name].items():
            assert vars(module)[key] is value, (name, key)
        assert not module._backward_hooks
        assert len(module._forward_hooks) == (module is network.head)
    assert all(value.equal(state[name]) for name, value in network.state_dict().items())
    assert all(parameter.requires_grad for parameter in network.parameters())
    assert network.head.weight.grad.equal(torch.ones_like(network.head.weight))
    assert not {"len", "isinstance"} & globals().keys()
    shared = {id(parameter) for parameter in explainer._rewritten.parameters()}
    assert shared == {id(parameter) for parameter in network.parameters()}


def test_new_weights_reach_the_rewritten_network():
    network = prepared(Residual())
    explainer = SHAP(network, BACKGROUND)
    with torch.no_grad():
        network.conv2.weight *= 1.5
    assert explainer(CLIPS, target=1).values.equal(explained(network)[1])


@pytest.mark.parametrize("kind", [Residual, OurPann])
def test_an_explainer_can_be_sent_to_a_worker(kind):
    explainer, values = explained(prepared(kind()))
    # The bytes are made here, as a run sends an explainer to its worker processes.
    for copied in (pickle.loads(pickle.dumps(explainer)), copy.deepcopy(explainer)):
        assert copied.network is not explainer.network
        assert copied(CLIPS, target=1).values.equal(values)


def test_a_failed_tracing_leaves_nothing_behind():
    class Failing(Net):
        def forward(self, db):
            self.seen = db.shape[3]
            if type(len(db)) is not int:
                raise TypeError("only numbers")
            return super().forward(db)

    network = Failing(lambda net, x: torch.relu(x)).eval()
    network.seen = 7
    with preserve_state(network), pytest.raises(TypeError, match="only numbers"):
        traced(network, CLIPS)
    assert network.seen == 7
    assert not {"len", "isinstance"} & globals().keys()
    assert network(CLIPS).shape == (2, 3)


def test_the_names_of_shap_s_modules_are_those_of_shap():
    """They are written down, since SHAP of a network of known modules does not need shap."""
    from shap.explainers._deep.deep_pytorch import op_handler

    assert set(op_handler) == SHAP_MODULES
