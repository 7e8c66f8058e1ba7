"""Ways to damage bytes and JSON."""

from __future__ import annotations

from random import Random
from typing import Any

ODD: tuple[Any, ...] = (
    None,
    True,
    False,
    -1,
    0,
    1,
    0.5,
    1e308,
    2**31,
    2**63,
    2**64,
    -(2**63),
    10**30,
    "",
    "x",
    "../../x",
    "/etc/passwd",
    "a\x00b",
    "\x1b[2J",
    "\u202eabc",
    "NaN",
    [],
    {},
    [[]],
    {"a": {}},
    [None],
    [-1],
    [2**63],
    [1] * 100,
    "x" * 10_000,
    float("nan"),
    float("inf"),
)


def damaged(data: bytes, rng: Random) -> bytes:
    """A copy that is cut, or has bytes changed, removed, repeated or inserted."""
    way = rng.choice(["cut", "flip", "flip", "zero", "remove", "repeat", "insert", "swap", "empty", "noise"])
    at = rng.randrange(max(1, len(data)))
    size = rng.choice([1, 2, 8, 64, 4096])
    if way == "cut":
        return data[:at]
    if way == "flip":
        changed = bytearray(data)
        for _ in range(rng.choice([1, 3, 20])):
            changed[rng.randrange(len(changed))] = rng.randrange(256)
        return bytes(changed)
    if way == "zero":
        return data[:at] + bytes(len(data[at : at + size])) + data[at + size :]
    if way == "remove":
        return data[:at] + data[at + size :]
    if way == "repeat":
        return data[: at + size] + data[at:]
    if way == "insert":
        return data[:at] + rng.randbytes(size) + data[at:]
    if way == "swap":
        return data[at:] + data[:at]
    return b"" if way == "empty" else rng.randbytes(rng.choice([1, 7, 8, 100, 10_000]))


def damaged_tree(tree: Any, rng: Random) -> Any:
    """A copy of a JSON value with one to three of its parts replaced, removed or duplicated."""
    for _ in range(rng.choice([1, 1, 2, 3])):
        tree = _changed(tree, rng)
    return tree


def _changed(tree: Any, rng: Random) -> Any:
    if not isinstance(tree, dict | list) or not tree or rng.random() < 0.2:
        return rng.choice(ODD)
    if isinstance(tree, list):
        at = rng.randrange(len(tree))
        way = rng.random()
        if way < 0.15:
            return [*tree[:at], *tree[at + 1 :]]
        if way < 0.3:
            return [*tree, *tree]
        return [*tree[:at], _changed(tree[at], rng), *tree[at + 1 :]]
    key = rng.choice(list(tree))
    if rng.random() < 0.15:
        return {name: value for name, value in tree.items() if name != key}
    if rng.random() < 0.15:
        return {**{name: value for name, value in tree.items() if name != key}, str(rng.choice(ODD)): tree[key]}
    return {**tree, key: _changed(tree[key], rng)}
