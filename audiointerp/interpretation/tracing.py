"""Follows a network's forward with torch.fx, and puts modules in place of functions on the way.

Plain symbolic tracing stops at ``if x.shape[3] < 8`` or ``x.device.type``. Here each symbol also
holds its value for one example, so such questions are answered as for that example.
"""

import inspect
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import product
from typing import Any, NamedTuple

import torch
from torch import Tensor, fx, nn

from .replacements import REBUILT, REPLACEMENTS

INPUT_CHECK = "_check_input_constraints_pre_hook"


def traced(network: nn.Module, example: Tensor) -> fx.GraphModule:
    """Return a network of modules that computes what ``network`` does, and shares its weights.

    The network must be in evaluation mode, without parameter gradients; it is not changed. Its
    operations are those for clips of the example's shape, for any number of them.

    Args:
        network: any module.
        example: features ``(N, 1, F, T)`` that it takes.

    Returns:
        The network, where each use of a function in ``REPLACEMENTS`` is a module of its own.

    Raises:
        Exception: torch.fx cannot follow the forward; errors of any type.

    >>> class Functional(nn.Module):
    ...     def forward(self, db):
    ...         return torch.relu(db).amax((2, 3))
    >>> network = traced(Functional(), torch.zeros(1, 1, 2, 3))
    >>> [type(module).__name__ for module in network.children()]
    ['ReLU', 'Largest']
    """
    root = _Root(network)
    with _restored_attributes(network), _python_functions(network), torch.enable_grad():
        _remove_input_checks(network)
        graph = _Tracer(example).trace(root)
        for node in graph.nodes:
            node.meta.clear()
        module = fx.GraphModule(root, graph)
    module.graph.eliminate_dead_code()
    module.recompile()
    module.delete_all_unused_submodules()
    return module.eval()


class _Root(nn.Module):
    """Has the network and the new modules as children, and takes the features alone."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, db: Tensor) -> Any:
        return self.network(db)


class _Maximum(NamedTuple):
    """What torch.max over an axis returns."""

    values: Any
    indices: Any


class _Symbol(fx.Proxy):
    """A result in the traced network, with its value for the example."""

    tracer: "_Tracer"

    @property
    def example(self) -> Any:
        return self.tracer.value_of(self.node)

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self.example, name)
        if callable(attribute):
            return partial(self._method, name)
        if isinstance(attribute, Tensor | torch.Size):
            return self.tracer.create_proxy("call_function", getattr, (self, name), {})
        return attribute

    def _method(self, name: str, *args: Any, **kwargs: Any) -> Any:
        return self.tracer.create_proxy("call_method", name, (self, *args), kwargs)

    def __bool__(self) -> bool:
        return bool(self.example)

    def __int__(self) -> int:
        return int(self.example)

    def __float__(self) -> float:
        return float(self.example)

    def __index__(self) -> int:
        return int(self.example.__index__())

    def __len__(self) -> int:
        return len(self.example)

    def __iter__(self) -> Iterator[Any]:
        symbol: Any = self
        return iter([symbol[number] for number in range(len(self.example))])


class _Tracer(fx.Tracer):
    """Runs each node on the example as it is made."""

    def __init__(self, example: Tensor) -> None:
        super().__init__()
        self.example = example.clone()
        self.running = False

    def proxy(self, node: fx.Node) -> _Symbol:
        return _Symbol(node, self)

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        of_torch = type(m).__module__.startswith("torch.nn.")
        return of_torch and not m._modules and not isinstance(m, REBUILT)

    def call_module(
        self, m: nn.Module, forward: Callable[..., Any], args: Any, kwargs: dict[str, Any]
    ) -> Any:
        if self.running:
            return forward(*args, **kwargs)
        return super().call_module(m, forward, args, kwargs)

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, Any]) -> Any:
        if self.running:
            return attr_val
        return super().getattr(attr, attr_val, parameter_proxy_cache)

    def create_proxy(
        self, kind: str, target: Any, args: Any, kwargs: dict[str, Any], *rest: Any, **named: Any
    ) -> Any:
        name, in_place = _name_of(kind, target, kwargs)
        args, kwargs = _input_first(args, kwargs) if name in REPLACEMENTS else (args, kwargs)
        module = self._replacement(name, args, kwargs)
        if isinstance(module, nn.Identity):
            return args[0]
        if module is None:
            if in_place and kind == "call_method" and callable(getattr(Tensor, name, None)):
                # Backward hooks do not work on results that are changed in place.
                target = name
            result = super().create_proxy(kind, target, args, kwargs, *rest, **named)
            self.value_of(result.node)
        else:
            result = self._call_new(name, module, args[0])
        if in_place and args and isinstance(args[0], _Symbol):
            # From here on, the tensor that was changed in place is the result.
            args[0].node = result.node
        if name == "max" and module is not None:
            original = super().create_proxy(kind, target, args, kwargs, *rest, **named)
            return _Maximum(result, original[1])
        return result

    def _replacement(self, name: str, args: Any, kwargs: dict[str, Any]) -> nn.Module | None:
        if name not in REPLACEMENTS or not args or not isinstance(args[0], _Symbol):
            return None
        if not isinstance(args[0].example, Tensor):
            return None
        values, named_values = fx.node.map_aggregate((args, kwargs), _example_of)
        return REPLACEMENTS[name](*values, **named_values)

    def _call_new(self, name: str, module: nn.Module, argument: _Symbol) -> Any:
        place = f"{name}_{len(self.root._modules)}"
        self.root.add_module(place, module.to(argument.example.device))
        result = super().create_proxy("call_module", place, (argument,), {})
        self.value_of(result.node)
        return result

    def value_of(self, node: fx.Node) -> Any:
        """Return a node's value for the example, and compute it the first time."""
        if "example" not in node.meta:
            args, kwargs = fx.node.map_arg((node.args, node.kwargs), self.value_of)
            self.running = True
            try:
                node.meta["example"] = self._run(node, args, kwargs)
            finally:
                self.running = False
        return node.meta["example"]

    def _run(self, node: fx.Node, args: Any, kwargs: dict[str, Any]) -> Any:
        if node.op == "placeholder":
            return self.example
        target: Any = node.target
        if node.op == "call_function":
            return target(*args, **kwargs)
        if node.op == "call_method":
            return getattr(args[0], target)(*args[1:], **kwargs)
        value: Any = self.root
        for part in target.split("."):
            value = getattr(value, part)
        return value(*args, **kwargs) if node.op == "call_module" else value


def _example_of(value: Any) -> Any:
    return value.example if isinstance(value, _Symbol) else value


def _name_of(kind: str, target: Any, kwargs: dict[str, Any]) -> tuple[str, bool]:
    """Return a function's or method's name without final underscore, and if it is in place."""
    if kind == "call_method":
        name = str(target)
    elif kind == "call_function":
        # Exported graphs call overloads, e.g. "relu.default".
        name = getattr(target, "__name__", "").partition(".")[0]
    else:
        return "", False
    plain = name.removesuffix("_")
    return plain, kwargs.get("inplace") is True or (plain != name and not name.endswith("__"))


def _input_first(args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Move the keyword ``input`` to the front of the arguments."""
    others = {name: value for name, value in kwargs.items() if name != "input"}
    return (args if args else (kwargs["input"],)), others


@contextmanager
def _restored_attributes(network: nn.Module) -> Iterator[None]:
    """Undo what a forward sets on its modules; while tracing, that can be symbols."""
    before = [(module, dict(vars(module))) for module in network.modules()]
    try:
        yield
    finally:
        for module, attributes in before:
            vars(module).clear()
            vars(module).update(attributes)


def _remove_input_checks(network: nn.Module) -> None:
    """Remove the hooks by which networks exported by torch 2.6 refuse what is no tensor."""
    for module in network.modules():
        hooks = module._forward_pre_hooks
        kept = {
            key: hook for key, hook in hooks.items() if getattr(hook, "__name__", "") != INPUT_CHECK
        }
        if len(kept) < len(hooks):
            module._forward_pre_hooks = OrderedDict(kept)


@contextmanager
def _python_functions(network: nn.Module) -> Iterator[None]:
    """Let ``len`` and ``isinstance`` in the forwards of a user's modules see through symbols.

    Python's own ``len`` returns a number, which would fix the number of clips.
    """
    forwards = [
        inspect.unwrap(type(module).forward)
        for module in network.modules()
        if not type(module).__module__.startswith("torch.")
    ]
    spaces = [getattr(forward, "__globals__", {}) for forward in forwards]
    instead = {"len": _len, "isinstance": _isinstance}
    changed = []
    try:
        for space, name in product(spaces, instead):
            if name not in space:
                changed.append((space, name))
                space[name] = instead[name]
        yield
    finally:
        for space, name in changed:
            del space[name]


def _len(value: Any) -> Any:
    if isinstance(value, _Symbol):
        return value.tracer.create_proxy("call_function", len, (value,), {})
    return len(value)


def _isinstance(value: Any, kinds: Any) -> bool:
    return isinstance(value, kinds) or isinstance(_example_of(value), kinds)
