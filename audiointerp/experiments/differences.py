"""How the record of a run differs from an earlier one."""

from collections.abc import Mapping
from typing import Any

LONGEST_VALUE = 40
"""Characters of a value that a difference shows."""


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs between two records, one phrase per value; only the keys of ``now`` count.

    >>> differences({"plan": {"masks": ["bin"]}}, {"plan": {"masks": ["minmax"]}})
    ["plan.masks: ['bin'] before, ['minmax'] now"]
    """
    phrases = []
    for key, value in now.items():
        phrases += _differences(key, before.get(key), value)
    return phrases


def _differences(name: str, before: Any, now: Any) -> list[str]:
    if isinstance(before, dict) and isinstance(now, dict):
        phrases = []
        for key in {**before, **now}:
            phrases += _differences(f"{name}.{key}", before.get(key), now.get(key))
        return phrases
    if before == now:
        return []
    texts = [_shortened(before), _shortened(now)]
    if texts[0] == texts[1] and isinstance(before, list) and isinstance(now, list):
        # Shortened, they look alike.
        return _differences_of_lists(name, before, now)
    return [f"{name}: {texts[0]} before, {texts[1]} now"]


def _differences_of_lists(name: str, before: list[Any], now: list[Any]) -> list[str]:
    """How the first entries that differ do, or how many entries there are."""
    for number, (earlier, later) in enumerate(zip(before, now, strict=False)):
        if earlier != later:
            return _differences(f"{name}[{number}]", earlier, later)
    return [f"{name}: {len(before)} entries before, {len(now)} now"]


def _shortened(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"
