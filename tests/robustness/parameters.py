"""Hostile parameter sets: parsed, planned and checked by every topic."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

from core.contracts import registry
from core.contracts.params import FieldSpec, Params
from tests.robustness.attempt import Attempt

_ANYTHING: tuple[Any, ...] = (
    None,
    True,
    "",
    " ",
    "nan",
    "inf",
    "-inf",
    "1e999",
    "-0",
    "0x10",
    "1_000",
    "１２",
    "½",
    "١٢",
    "true",
    "None",
    float("nan"),
    float("inf"),
    -float("inf"),
    1e308,
    -1,
    0,
    2**31,
    2**63,
    -(2**63),
    10**400,
    0.5,
    1e-320,
    [],
    {},
    [1],
    {"a": 1},
    b"bytes",
    (),
    object(),
    1j,
    "\x00",
    "a\x00b",
    "\x1b[31mred",
    "\ud800",
    "a\nb",
    "\u202eevil",
    "%s%n",
    "{0}",
    "{name}",
    "{name.__class__}",
    "'; DROP TABLE runs;--",
    "$(touch x)",
    "../" * 50,
    "~nobody/x",
    "~",
    "/dev/zero",
    "/dev/stdin",
    "/dev/full",
    "/proc/self/mem",
    "/proc/self/fd/0",
    "/proc/1/root",
    "/",
    "\\\\host\\share",
    "x" * 100_000,
    "9" * 5_000,
    10**5_000,
    "/" + "a" * 4_000,
    "(" * 4_000,
    "é" * 2_000,
)

_WORDS = (
    "causal",
    "window",
    "(",
    ")",
    "&",
    "|",
    "~",
    "~~",
    "documents",
    "prefix",
    "padding",
    "1",
    "0",
    "-1",
    "1e9",
    ",",
    "4096",
    "99999999999999999999",
    "full",
    "q_proj",
    "all",
    ".*",
    "(a+)+$",
    "[",
    "nf4",
    "nf4,nf4",
    "lora",
    "hello",
    "世界",
    "\t",
    "",
)


def attempts(number: int, rng: Random, folder: Path) -> Attempt:
    """One to four parameters of one topic become hostile, the rest keep their defaults."""
    topic = registry.topic(list(registry.TOPICS)[number % len(registry.TOPICS)])
    specs = topic.params.specs()
    values: dict[Any, Any] = {
        spec.name: _value(spec, rng) for spec in rng.sample(specs, rng.randint(1, min(4, len(specs))))
    }
    if rng.random() < 0.03:
        values[rng.choice(["", "x" * 100_000, "__class__", "\x1b[2J", "seq_lem", "\ud800", "model_config", "\n"])] = 1

    def work() -> None:
        params: Params = topic.params.parse(values)
        topic.plan(params)
        topic.check(params)

    return Attempt(f"{topic.id} {', '.join(map(repr, values))}"[:120], work)


def _value(spec: FieldSpec, rng: Random) -> Any:
    chance = rng.random()
    if chance < 0.3:
        return rng.choice(_ANYTHING)
    if spec.choices:
        value = rng.choice(spec.choices)
        return value if chance < 0.8 else f"{value}{rng.choice(['', ' ', '0', chr(0)])}"
    if spec.kind is bool:
        return rng.choice([True, False, "yes", "maybe", 2])
    if spec.kind is str:
        return rng.choice(["", " ", ", "]).join(rng.choice(_WORDS) for _ in range(rng.choice([1, 2, 5, 20, 200])))
    return _number(spec, rng)


def _number(spec: FieldSpec, rng: Random) -> Any:
    """At a bound, next to it, or between the bounds, on a linear or a logarithmic scale."""
    low, high = spec.minimum, spec.maximum
    if low is None or high is None:
        return rng.randint(-10, 10)
    value = rng.choice([low, high, low - 1, high + 1, rng.uniform(low, high), low + (high - low) * rng.random() ** 8])
    value = spec.kind(value) if rng.random() < 0.8 else value
    return str(value) if rng.random() < 0.3 else value
