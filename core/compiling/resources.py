"""Compiles captured launches for a GPU target, and reads registers, shared memory and spills from the machine code."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from core.compiling.capture import CapturedLaunch
from core.compiling.record import CompiledKernel
from core.contracts.text import Text, tr
from core.interpreter import cubin, frontend
from core.outside import first_line

_PTX_INSTRUCTIONS = {
    "wgmma": r"\bwgmma\.mma_async",
    "tcgen05": r"\btcgen05\.mma",
    "mma": r"\bmma\.sync",
    "TMA": r"\bcp\.async\.bulk",
    "cp.async": r"\bcp\.async\.c[ag]",
    "setmaxnreg": r"\bsetmaxnreg\.",
}
_AMD_INSTRUCTIONS = {"mfma": r"\bv_mfma"}


def compiled(launches: Iterable[CapturedLaunch], target: str) -> tuple[CompiledKernel, ...]:
    """The kernels of the launches, one for each specialisation of its arguments, in the order of their first launch.

    A kernel that does not compile has a `problem`. Triton keeps what it compiled on the disk.
    """
    kernels: dict[str, CompiledKernel] = {}
    for launch in launches:
        try:
            source, options = _specialised(launch, target)
            key = f"{source.hash()}{sorted(options.items(), key=str)}"
            if key not in kernels:
                kernels[key] = _compiled(source, options, launch.function.fn.__name__, target)
        except Exception as error:
            name = launch.function.fn.__name__
            kernels.setdefault(f"{name}: {error}", CompiledKernel(name, target, problem=_problem(error)))
    return tuple(kernels.values())


def _specialised(launch: CapturedLaunch, target: str) -> tuple[Any, dict[str, Any]]:
    """The source as Triton's launcher would specialise it for the target, and the options of the compiler."""
    parts = frontend.triton()
    backend = parts.compiler.make_backend(_gpu_target(target))
    function, options = launch.function, dict(launch.options)
    binder = parts.jit.create_function_from_signature(function.signature, function.params, backend)
    bound, specialization, _ = binder(*launch.arguments, **options)
    chosen, signature, constexprs, attributes = function._pack_args(backend, options, bound, list(specialization), {})
    return parts.compiler.ASTSource(function, signature, constexprs, attributes), dict(chosen.__dict__)


def _compiled(source: Any, options: dict[str, Any], name: str, target: str) -> CompiledKernel:
    from triton.compiler import compile as compile_source

    kernel = compile_source(source, target=_gpu_target(target), options=options)
    registers, spilled = _amd_usage(kernel.asm) if "amdgcn" in kernel.asm else cubin.usage(kernel.asm)
    return CompiledKernel(
        function=name,
        target=target,
        num_warps=int(kernel.metadata.num_warps),
        num_stages=int(getattr(kernel.metadata, "num_stages", 0)),
        registers=registers,
        spilled_bytes=spilled,
        shared_bytes=int(kernel.metadata.shared),
        instructions=_instructions(kernel.asm),
    )


def _instructions(asm: Any) -> tuple[str, ...]:
    is_amd = "amdgcn" in asm
    text, patterns = (asm["amdgcn"], _AMD_INSTRUCTIONS) if is_amd else (asm["ptx"], _PTX_INSTRUCTIONS)
    return tuple(name for name, pattern in patterns.items() if re.search(pattern, text))


def _amd_usage(asm: Any) -> tuple[int | None, int | None]:
    registers, spills = (
        [int(count) for count in re.findall(rf"\.{name}:\s*(\d+)", asm["amdgcn"])]
        for name in ("vgpr_count", "private_segment_fixed_size")
    )
    return max(registers, default=None), max(spills, default=None)


def _gpu_target(target: str) -> Any:
    from triton.backends.compiler import GPUTarget

    return GPUTarget("cuda", int(target[3:]), 32) if target.startswith("sm_") else GPUTarget("hip", target, 64)


def _problem(error: Exception) -> Text:
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    reason = getattr(cause, "error_message", None) or first_line(cause) or type(cause).__name__
    return tr("It does not compile: {reason}.", reason=" ".join(str(reason).split())[:300].rstrip("."))
