"""Compiles the launches that a launcher really makes, for GPUs that are not there."""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from triton.runtime.jit import JITFunction
from triton.tools.tensor_descriptor import TensorDescriptor

from core.interpreter import cubin
from kernels.launching import choosing_for

_TYPES = {
    torch.float32: "*fp32",
    torch.float16: "*fp16",
    torch.bfloat16: "*bf16",
    torch.float8_e4m3fn: "*fp8e4nv",
    torch.uint8: "*u8",
    torch.int32: "*i32",
    torch.int64: "*i64",
}
_OPTIONS = ("num_warps", "num_stages", "enable_fp_fusion")


@dataclass(frozen=True)
class Launch:
    function: JITFunction
    arguments: dict[str, Any]
    options: dict[str, int]


@dataclass(frozen=True)
class Compiled:
    name: str
    shared_bytes: int
    spilled: bool
    asm: dict[str, Any]


def launches_of(monkeypatch: pytest.MonkeyPatch, call: Callable[[], object], target: str | None = None) -> list[Launch]:
    """The launches that `call` makes, none of them run, tiled as they would be on `target`."""
    launches: list[Launch] = []

    def run(function: JITFunction, *args: object, grid: object, warmup: bool, **kwargs: Any) -> None:
        names = [name for name in function.arg_names if name not in kwargs]
        options = {name: kwargs.pop(name) for name in _OPTIONS if name in kwargs}
        launches.append(Launch(function, dict(zip(names, args, strict=False)) | kwargs, options))

    monkeypatch.setattr(JITFunction, "run", run)
    with choosing_for(target):
        call()
    return launches


def compile_for(launch: Launch, target: str) -> Compiled:
    """Specialised as Triton's launcher does it: multiples of 16 are known to be, ones and None are constants."""
    signature, constants, attributes = {}, {}, {}
    for index, parameter in enumerate(launch.function.params):
        value = launch.arguments[parameter.name]
        signature[parameter.name] = _type_of(value, is_constant=parameter.is_constexpr)
        if signature[parameter.name] == "constexpr":
            constants[(index,)] = value
        elif isinstance(value, torch.Tensor) or (isinstance(value, int) and value % 16 == 0):
            attributes[(index,)] = [["tt.divisibility", 16]]
    source = ASTSource(launch.function, signature, constants, attributes)
    kernel = triton.compile(source, target=_gpu_target(target), options=launch.options)
    return Compiled(launch.function.__name__, kernel.metadata.shared, _spills(kernel.asm), kernel.asm)


def accesses(compiled: Compiled) -> Counter[tuple[str, int]]:
    """(what, bits) of the global accesses of a thread, by how often they stand in the PTX: ("ld", 128), ("st", 32),
    and ("cp", 128) for copies to shared memory."""
    counts: Counter[tuple[str, int]] = Counter()
    for what, vector, bits in re.findall(r"\b(ld|st)\.global(?:\.\w+)*?(?:\.v(\d))?\.[bufs](\d+)", compiled.asm["ptx"]):
        counts[(what, int(vector or 1) * int(bits))] += 1
    for size in re.findall(r"cp\.async\.\w+\.shared\.global[^;]*?, (0x\w+|\d+)", compiled.asm["ptx"]):
        counts[("cp", 8 * int(size, 0))] += 1
    return counts


def _type_of(value: object, *, is_constant: bool) -> str:
    if isinstance(value, torch.Tensor):
        return _TYPES[value.dtype]
    if isinstance(value, TensorDescriptor):
        return f"tensordesc<{_TYPES[value.base.dtype][1:]}{value.block_shape}>"
    # Triton makes a constant of the integer 1, but not of 1.0.
    if is_constant or value is None or (value == 1 and not isinstance(value, float)):
        return "constexpr"
    return "fp32" if isinstance(value, float) else "i32"


def _gpu_target(target: str) -> GPUTarget:
    return GPUTarget("cuda", int(target[3:]), 32) if target.startswith("sm_") else GPUTarget("hip", target, 64)


def _spills(asm: dict[str, Any]) -> bool:
    if "amdgcn" in asm:
        return any(int(count) for count in re.findall(r"\.vgpr_spill_count:\s*(\d+)", asm["amdgcn"]))
    _, spilled_bytes = cubin.usage(asm)
    return spilled_bytes > 0
