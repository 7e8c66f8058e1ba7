"""Makes a run small enough to come with the program, without leaving a picture empty, and fit to be seen by anyone."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

import numpy as np

from core.contracts.result import Result
from core.paths import data_folder
from core.topics.flash_attention.result import FlashAttentionResult
from core.topics.lora.result import LoraResult
from core.user_code.paths import PROJECT

T = TypeVar("T")
KEPT_BITS = 12
"""Of the 24 bits of a float32's significand: values are off by at most 1 in 8,192. The other bits are zero, and take no
space."""

_ROUNDED_FROM = 1024
"""Elements. Rounding what is smaller saves nothing."""

_LORA_PICTURES = 3


def slim(result: Result) -> Result:
    """The result without what its page can draw without, with large float arrays rounded (metrics stay exact), and with
    paths relative to the project and to the data folder."""
    match result:
        case FlashAttentionResult(softmax=softmax) if softmax is not None and softmax.accumulator is not None:
            norm = np.linalg.norm(softmax.accumulator, axis=-1).astype(np.float32)
            result = replace(result, softmax=replace(softmax, accumulator=None, accumulator_norm=norm))
        case LoraResult(factors=factors):
            result = replace(result, factors=factors[:_LORA_PICTURES])
    return _slimmed(result)


def _slimmed(value: T) -> T:
    """The value with every large float32 array in it rounded, and every path shortened."""
    rounded: Any = value
    if isinstance(value, str):
        rounded = _with_short_paths(value)
    elif isinstance(value, np.ndarray):
        rounded = _rounded_array(value)
    elif is_dataclass(value) and not isinstance(value, type):
        parts = {item.name: getattr(value, item.name) for item in fields(value) if item.init}
        changed = {name: part for name, old in parts.items() if (part := _slimmed(old)) is not old}
        rounded = replace(value, **changed) if changed else value
    elif isinstance(value, Mapping):
        items = {key: _slimmed(item) for key, item in value.items()}
        rounded = items if any(items[key] is not value[key] for key in items) else value
    elif isinstance(value, tuple) and not hasattr(value, "_fields"):
        parts_of_tuple = tuple(_slimmed(item) for item in value)
        changed_any = any(new is not old for new, old in zip(parts_of_tuple, value, strict=True))
        rounded = parts_of_tuple if changed_any else value
    return rounded  # type: ignore[no-any-return]


def _with_short_paths(text: str) -> str:
    """The text without the folders of this machine: they say nothing to others."""
    for folder in (PROJECT, data_folder()):
        if str(folder) in text:  # an enum stays one
            text = text.replace(f"{folder}{os.sep}", "")
    return text


def _rounded_array(array: np.ndarray) -> np.ndarray:
    """float32 with KEPT_BITS significant bits, rounded half up; NaN and inf stay. Other arrays as they are."""
    if array.dtype != np.float32 or array.size < _ROUNDED_FROM:
        return array
    dropped = 24 - KEPT_BITS
    bits = np.ascontiguousarray(array).view(np.uint32)
    near = ((bits.astype(np.uint64) + (1 << (dropped - 1))) >> dropped << dropped).astype(np.uint32).view(np.float32)
    near = near.reshape(array.shape)
    kept: np.ndarray = np.where(np.isfinite(array) & np.isfinite(near), near, array)
    return kept
