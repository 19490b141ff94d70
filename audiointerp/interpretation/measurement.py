"""What runs of a network on a clip of two lengths say about its layers."""

from collections import Counter

import torch
from torch import Tensor, nn

from ..errors import ArgumentError, choose
from ..util import owners_module
from .runs import Run, record_runs

LAYOUTS = ("FT", "TF")
"""The axes of activations: (frequency, time), or (time, frequency)."""
CONVOLUTIONS_1D = (nn.Conv1d, nn.ConvTranspose1d, nn.BatchNorm1d, nn.MaxPool1d, nn.AvgPool1d)
CONVOLUTIONS_2D = (nn.Conv2d, nn.ConvTranspose2d)


class Measurement:
    """What two runs of a network say about its layers.

    >>> Measurement(nn.Conv2d(1, 2, 3), torch.zeros(1, 1, 8, 20)).shapes
    {}
    """

    def __init__(
        self,
        network: nn.Module,
        clip: Tensor,
        layer: nn.Module | None = None,
        layout: str | None = None,
        grid: tuple[int, int] | None = None,
    ) -> None:
        self.network, self.layer, self.layout, self.grid = network, layer, layout, grid
        self.names = {
            module: name or "the network itself"
            for name, module in owners_module(network).named_modules()
        }
        declared = getattr(network, "activation_layout", None)
        self.declared = choose("layout", str(declared), LAYOUTS) if declared else None
        watched = _watched(network, layer)
        self.runs, problem = record_runs(network, clip, watched, gradients=layer is None)
        if problem is not None:
            raise problem
        # A module that is used several times has the shape of its last use.
        self.shapes = {run.module: run.shape for run in self.runs}
        self.uses = Counter(run.module for run in self.runs)
        self.longer: dict[nn.Module, tuple[int, ...]] = {}
        self._run_other_lengths(clip, watched)

    def _run_other_lengths(self, clip: Tensor, watched: list[nn.Module]) -> None:
        """Run the clip twice in a row; if a layer then does not run, the first half.

        The network may refuse another length behind the layers, so it is not run to its end.
        """
        most = _last_of_interest(self.runs, self.layer)
        if not most:
            return
        halves = clip[..., : max(1, clip.shape[3] // 2)]
        for other, is_longer in ((torch.cat([clip, clip], 3), True), (halves, False)):
            runs, _ = record_runs(self.network, other, watched, most)
            uses = Counter(run.module for run in runs)
            expected = Counter(run.module for run in self.runs[:most])
            for run in runs:
                if uses[run.module] == expected[run.module] and run.module not in self.longer:
                    self._compare(run.module, runs, is_longer)
            if len(runs) == most:
                return

    def _compare(self, module: nn.Module, runs: list[Run], is_longer: bool) -> None:
        shape = next(run.shape for run in reversed(runs) if run.module is module)
        known = self.shapes[module]
        if len(shape) != len(known):
            return
        # A shorter clip says the same, with the two runs exchanged.
        pairs = zip(known, shape, strict=True)
        self.longer[module] = (
            shape if is_longer else tuple(size + (size - less) for size, less in pairs)
        )

    def checked_layout(self, module: nn.Module) -> str:
        """Return the layout of a map; refuse one that cannot be measured, or is not the given.

        Raises:
            ArgumentError: the layout is of neither kind.
        """
        grows, shape = self.grows(module), self.shapes[module]
        if self.layout is not None and grows is not None and grows != self.layout:
            raise ArgumentError(
                f"layout={self.layout!r} is wrong for {self.place(module)}: axis "
                f"{2 + grows.index('T')} of its activations grows with the clip's time, so they "
                f"are {grows!r}; leave layout out"
            )
        layout = self.layout_of(module)
        if layout is None:
            raise ArgumentError(
                f"which axis of {self.place(module)} is time cannot be measured: its activations "
                f"{shape} do not grow along one axis with a longer clip; give layout='FT' if they "
                f"are (frequency, time) or layout='TF' if they are (time, frequency)"
            )
        return layout

    def patches(self) -> nn.Module | None:
        """Return the only convolution whose activations have cells, or None."""
        convolutions = [
            run.module
            for run in self.runs
            if isinstance(run.module, CONVOLUTIONS_2D) and max(self.shapes[run.module][2:]) > 1
        ]
        first = convolutions[0] if len(set(convolutions)) == 1 else None
        return first if first is not None and is_map(self.shapes[first]) else None

    def is_sequence(self, module: nn.Module) -> bool:
        """Return whether activations are ``(1, channels, T)``, as those of a Conv1d."""
        shape, longer = self.shapes[module], self.longer.get(module)
        if len(shape) != 3 or shape[0] != 1:
            return False
        if longer is None:
            return isinstance(module, CONVOLUTIONS_1D)
        return longer[1] == shape[1] and longer[2] > shape[2]

    def lengths_in_time(self) -> set[int]:
        """Return the numbers of steps of activations ``(1, channels, T)``, where above one."""
        modules = [module for module in self.shapes if isinstance(module, CONVOLUTIONS_1D)]
        lengths = {self.shapes[module][2] for module in modules if self.is_sequence(module)}
        return lengths - {1}

    def grows(self, module: nn.Module) -> str | None:
        """Return the layout of a map that the two runs show, or None."""
        if module not in self.longer or not is_map(self.longer[module]):
            return None
        before, after = self.shapes[module][2:], self.longer[module][2:]
        growing = [long > short for short, long in zip(before, after, strict=True)]
        if sum(growing) != 1:
            return None
        return "TF" if growing[0] else "FT"

    def layout_of(self, module: nn.Module) -> str | None:
        """Return the layout of a map as measured, as given, or as the network says."""
        return self.grows(module) or self.layout or self.declared

    def place(self, module: nn.Module) -> str:
        """Return the name and the type of a module, for messages."""
        return f"{self.names.get(module, 'the layer')} ({type(module).__name__})"


def is_map(shape: tuple[int, ...]) -> bool:
    """Return whether a shape is that of one clip's activations ``(1, channels, ..., ...)``.

    >>> is_map((1, 512, 4, 12)), is_map((1, 512))
    (True, False)
    """
    return len(shape) == 4 and shape[0] == 1


def _watched(network: nn.Module, layer: nn.Module | None) -> list[nn.Module]:
    """Return the modules to watch: all inside of the network, or the layer and the convolutions."""
    if layer is None:
        return [module for module in network.modules() if module is not network]
    convolutions = [
        module
        for module in network.modules()
        if isinstance(module, CONVOLUTIONS_2D) and module is not layer
    ]
    return [layer, *convolutions]


def _last_of_interest(runs: list[Run], layer: nn.Module | None) -> int:
    """Return after how many runs the layers have been seen that another length is measured on."""
    shapes = {run.module: run.shape for run in runs}

    def is_of_interest(run: Run) -> bool:
        if layer is not None and len(shapes.get(layer, ())) != 3:
            return run.module is layer
        is_sequence = len(run.shape) == 3 and isinstance(run.module, CONVOLUTIONS_1D)
        has_cells = (is_sequence or is_map(run.shape)) and max(run.shape[2:]) > 1
        return run.module is layer or has_cells

    return max((number + 1 for number, run in enumerate(runs) if is_of_interest(run)), default=0)
