"""hidden_operations names what module hooks cannot see, and nothing else."""

import subprocess
import sys

import pytest
import torch
from conftest import small_classifier
from torch import nn
from torch.nn import functional

from audiointerp.interpretation.hidden import hidden_operations
from audiointerp.interpretation.shap import SHAP
from audiointerp.model.panns import Cnn6, Cnn10, Cnn14

KNOWN = {"ReLU", "Sigmoid", "Softmax", "MaxPool1d", "MaxPool2d", "GELU"}
# Seeds the networks below: with other weights, the gap, which is rounding, can exceed its bound.
torch.manual_seed(0)
DB = torch.randn(1, 1, 64, 80)


class Net(nn.Module):
    """A small network around one function of the activations."""

    def __init__(self, function=lambda x: x, middle=None):
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3)
        self.middle = middle or nn.ReLU()
        self.function = function
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(2, 3)

    def forward(self, db):
        return self.head(self.pool(self.function(self.middle(self.conv(db)))).flatten(1))


@pytest.mark.parametrize(
    "network",
    [
        Net(),
        Net(middle=nn.MaxPool2d(2)),
        Net(middle=nn.Sequential(nn.BatchNorm2d(2), nn.ReLU(), nn.Dropout(0.5))),
        Net(lambda x: 2 * x - 1),
        Net(lambda x: x + x.mean(2, keepdim=True)),
        Net(lambda x: torch.cat([x, 2 * x], 2)),
        Net(lambda x: 1 - x),
        Net(lambda x: x.index_select(3, torch.tensor([0, 2]))),
        Net(lambda x: x.unfold(3, 4, 4).mean(-1)),
        Net(lambda x: x.masked_fill(torch.eye(62, 78) > 0, 0.0)),
        Net(lambda x: x * torch.ones_like(x)),
        Net(lambda x: x if x.isfinite().all() else -x),
        Net(middle=nn.ReLU(inplace=True)),
        Net(lambda x: functional.pad(x, (1, 1)) / 3),
        Net(lambda x: functional.avg_pool2d(x, 2)),
        Net(lambda x: x[..., ::2]),
    ],
)
def test_nothing_hides_in_a_plain_network(network):
    assert hidden_operations(network.eval(), DB, KNOWN) == []
    background = torch.randn(2, 1, 64, 80, generator=torch.Generator().manual_seed(1))
    # Spread the logits, so that there is a difference to explain.
    with torch.no_grad():
        network.head.weight *= 20 / network(torch.cat([DB, background])).std(0)[1]
    gap = SHAP(network, background)(DB, target=1).info["additivity_gap"]
    assert gap.isfinite().all()
    assert gap.max() < 1e-3


@pytest.mark.parametrize("kind", [Cnn6, Cnn10, Cnn14])
def test_nothing_hides_in_our_networks(kind):
    """test_weights shows on trained networks that the values add up."""
    assert hidden_operations(kind(3, base_channels=2).eval(), DB, KNOWN) == []


FUNCTIONS = {
    "relu": (torch.relu, functional.relu),
    "relu_": (lambda x: x.relu_(),),
    "amax": (lambda x: x.amax(2, keepdim=True),),
    "max": (lambda x: x.max(2, keepdim=True).values,),
    "max_pool2d_with_indices": (lambda x: functional.max_pool2d(x, 2),),
    "adaptive_max_pool2d": (lambda x: functional.adaptive_max_pool2d(x, 2),),
    "maximum": (lambda x: torch.maximum(x, x.mean()),),
    "where": (lambda x: torch.where(x > 0, x, 0.0),),
    "clamp": (lambda x: x.clamp(min=0),),
    "masked_fill": (lambda x: x.masked_fill(x < 0, 0.0),),
    "gelu": (functional.gelu,),
    "sigmoid": (torch.sigmoid,),
    "_softmax": (lambda x: x.softmax(1),),
    "abs": (torch.abs,),
    "mul": (lambda x: x * x,),
    "bmm": (lambda x: x @ x.transpose(2, 3),),
    "pow": (lambda x: x**2,),
    "div": (lambda x: x / x.sum(),),
    "reciprocal": (lambda x: 1 / (5 + x),),
}


@pytest.mark.parametrize(
    ("name", "function"),
    [(name, function) for name, functions in FUNCTIONS.items() for function in functions],
)
def test_functions_are_named(name, function):
    network = Net(function).eval()
    hidden = hidden_operations(network, DB, KNOWN)
    assert f"{name} in the network itself (Net)" in hidden
    assert all("the network itself (Net)" in finding for finding in hidden)


def test_modules_that_the_explainer_does_not_know_are_named():
    assert hidden_operations(Net(middle=nn.SiLU()).eval(), DB, KNOWN) == ["silu in middle (SiLU)"]
    assert hidden_operations(Net(middle=nn.AdaptiveMaxPool2d(4)).eval(), DB, KNOWN) == [
        "adaptive_max_pool2d in middle (AdaptiveMaxPool2d)"
    ]


def written_in_part(x):
    copied = torch.zeros(x.shape)
    copied[:, :1] = x[:, :1]
    return torch.relu(copied)


def test_what_hides_well_is_found():
    assert hidden_operations(Net(written_in_part).eval(), DB, KNOWN) == [
        "relu in the network itself (Net)"
    ]
    own = Net(middle=nn.BatchNorm2d(2, track_running_stats=False)).eval()
    assert "batch_norm in middle (BatchNorm2d)" in " ".join(hidden_operations(own, DB, {*KNOWN}))
    assert "(InstanceNorm2d)" in " ".join(
        hidden_operations(Net(middle=nn.InstanceNorm2d(2)).eval(), DB, KNOWN)
    )
    stem = Net(middle=nn.MaxPool2d(3, 2, 1)).eval()
    assert hidden_operations(stem, DB, KNOWN) == [
        "overlapping or dilated windows in middle (MaxPool2d)"
    ]
    holes = Net(middle=nn.MaxPool2d(2, 2, dilation=2)).eval()
    assert hidden_operations(holes, DB, KNOWN) == [
        "overlapping or dilated windows in middle (MaxPool2d)"
    ]


def test_a_module_used_twice_is_named():
    relu = nn.ReLU()
    assert hidden_operations(Net(relu, relu).eval(), DB, KNOWN) == ["middle (ReLU) used 2 times"]
    norm = nn.BatchNorm2d(2)
    # A linear module may be used twice.
    assert hidden_operations(Net(norm, norm).eval(), DB, KNOWN) == []


def test_the_network_is_left_as_it_was():
    network = small_classifier().network.train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    SHAP(network, torch.randn(2, 1, 64, 101))
    assert network.training
    assert not any(
        module._forward_hooks or module._forward_pre_hooks for module in network.modules()
    )
    assert all(value.equal(before[name]) for name, value in network.state_dict().items())


def test_torch_s_compiler_is_not_imported():
    """The import would take two seconds of the first SHAP."""
    code = (
        "import sys, torch; from audiointerp.interpretation.hidden import hidden_operations; "
        "db = torch.zeros(1, 1, 2, 3); hidden = hidden_operations(torch.nn.Linear(3, 2), db, []); "
        "print(hidden, 'torch._dynamo' in sys.modules)"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "[] False\n"
