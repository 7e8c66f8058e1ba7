"""A case of every family that takes a moment."""

from __future__ import annotations

from core.families.axes import Case
from core.families.family import Family

SMALL: dict[str, dict[str, int | str]] = {
    "attention": {"seq_len": 100, "heads": 4, "kv_heads": 2, "head_dim": 32, "dtype": "fp16"},
    "attention-training": {"seq_len": 75, "heads": 4, "kv_heads": 2, "head_dim": 32, "dtype": "fp16"},
    "decode": {"keys": 300, "batch": 2, "head_dim": 64, "dtype": "fp16"},
    "block-sparse": {"seq_len": 200, "heads": 2, "head_dim": 32, "document": 70},
    "quantize": {"rows": 20, "columns": 200, "nested_block": 256},
    "dequantize": {"rows": 20, "columns": 200, "format": "int4-affine"},
    "matmul-4bit": {"x_rows": 1, "rows": 70, "columns": 128},
    "lora": {"tokens": 33, "width": 64, "rank": 5},
    "lora-training": {"tokens": 33, "width": 64, "rank": 5},
    "cross-entropy": {"tokens": 300, "vocabulary": 70, "ignored": 30, "dtype": "bf16"},
    "linear-cross-entropy": {"tokens": 300, "vocabulary": 350, "width": 32, "ignored": 30, "dtype": "bf16"},
    "softmax": {"rows": 9, "columns": 100},
    "layer-norm": {"rows": 9, "columns": 100},
}
"""Values that differ from the quick ones, so that a test takes a moment."""


def small(known: Family) -> Case:
    case = known.resolve({**known.defaults, **known.quick.case, **SMALL[known.id]})
    known.check(case)
    return case
