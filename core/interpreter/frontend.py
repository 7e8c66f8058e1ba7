"""Lowers a Triton kernel and its arguments to TTIR, without a GPU. All code that depends on Triton's version is here.

Triton's own binder computes the signature, so that arguments are specialised (divisible by 16, equal to 1) exactly as
they would be for a launch. The IR is lowered for sm_89, the newest target for which Triton turns tensor descriptors
into pointer arithmetic, so that their accesses are traced like all others.
"""

from __future__ import annotations

import inspect
import sys
import threading
import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from core.contracts.errors import MissingRequirement, TilescopeError
from core.contracts.text import Text, tr
from core.interpreter import gluon_source
from core.interpreter.inlining import inlined
from core.interpreter.ir import Module
from core.interpreter.ops.machine import named
from core.interpreter.ops.pointers import recast
from core.interpreter.ops.products import counted
from core.interpreter.parser import parse_module
from core.interpreter.plan import Plan, plan
from core.interpreter.refusal import refusal

_AMD_TARGET = ("hip", "gfx942", 64)
_AMD_TYPES = ("fnuz", "fp8e4b8", "fp8e5b16")
"""What the names of AMD's 8-bit floats end with, in torch and in Triton."""

_TARGET = ("cuda", 89, 32)


class CompilationRejected(TilescopeError):
    """Triton's front end rejects the kernel; with other constants it may accept it."""


@dataclass(frozen=True)
class Kernel:
    """A kernel lowered for one specialisation of its arguments.

    `ttir` is what Triton printed; `signature` maps each parameter to Triton's name for its type, a tuple of them, or
    'constexpr'. `compile` gives Triton's compiled kernel, for the same target.
    """

    name: str
    ttir: str
    module: Module
    plan: Plan
    signature: Mapping[str, Any]
    file: str
    first_line: int
    source: str
    compile: Callable[[], Any]


@dataclass(frozen=True)
class _Triton:
    """The imported parts of Triton that are used."""

    jit: types.ModuleType
    compiler: types.ModuleType
    ir: Any
    backend: Any
    target: Any


_lock = threading.Lock()
_triton: _Triton | None = None
_binders: dict[tuple[int, str], tuple[Any, Any]] = {}
_kernels: dict[tuple[int, str], tuple[Any, Kernel]] = {}


def triton() -> _Triton:
    """Triton, imported on first use. Raises MissingRequirement if it is not installed or interprets kernels."""
    global _triton
    if _triton is None:
        try:
            import triton.runtime.jit as jit
            from triton._C.libtriton import ir
            from triton.backends.compiler import GPUTarget
            from triton.compiler import compiler
        except ImportError as error:
            raise MissingRequirement(_how_to_get_triton()) from error
        target = GPUTarget(*_TARGET)
        _triton = _Triton(jit, compiler, ir, compiler.make_backend(target), target)
    return _triton


def require_triton() -> None:
    """Raises MissingRequirement where nothing can be traced: for work that would begin with something else."""
    triton()


def _how_to_get_triton() -> Text:
    on_linux = sys.platform == "linux"
    if on_linux:
        return tr("Tracing needs Triton, which is not installed: `pip install triton`, or look at the recorded run.")
    return tr("Tracing needs Triton, which exists for Linux only: look at the recorded run, or run on a Linux machine.")


def lower(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Kernel, dict[str, Any]]:
    """The kernel for these arguments, and all arguments by name (constexprs and defaults too).

    Lowered once for each specialisation. Raises TilescopeError with one sentence if Triton rejects the kernel, or if
    the TTIR interpreter does not execute an operation of it.
    """
    parts = _for_types_of(triton(), (*args, *kwargs.values()))
    gluon_source.refuse_clusters(function, kwargs)
    with _lock:
        binder = _binder(parts, function)
    try:
        bound, specialization, options = binder(*args, **kwargs)
    except Exception as error:
        raise TilescopeError(refusal(function, args, kwargs, error)) from error
    text = f"{function.cache_key}{specialization}{sorted(options.items())}{_checks(function, kwargs)}{_named_target()}"
    key = (id(function), text)
    with _lock:
        known = _kernels.get(key)
        if known is None:
            known = _kernels[key] = (function, _lower(parts, function, bound, specialization, kwargs))
    return known[1], bound


def _checks(function: Any, kwargs: dict[str, Any]) -> bool:
    """True if device-side assertions are compiled in, as Triton decides it: debug=True, or TRITON_DEBUG=1."""
    from triton import knobs

    return bool(kwargs.get("debug", function.debug) or knobs.runtime.debug)


def _named_target() -> str:
    """The target of the driver, which a kernel may ask for while it is lowered (`tl.target_info`)."""
    from triton.runtime import driver

    return str(driver.active.get_current_target())


def _for_types_of(parts: _Triton, arguments: Iterable[Any]) -> _Triton:
    """With AMD's compiler if an argument has one of AMD's 8-bit floats, which Triton refuses for any other GPU."""
    if any(str(getattr(argument, "dtype", "")).endswith(_AMD_TYPES) for argument in arguments):
        return _amd(parts)
    return parts


@lru_cache(maxsize=1)
def _amd(parts: _Triton) -> _Triton:
    from triton.backends.compiler import GPUTarget

    target = GPUTarget(*_AMD_TARGET)
    return replace(parts, backend=parts.compiler.make_backend(target), target=target)


def _binder(parts: _Triton, function: Any) -> Any:
    key = (id(function), str(parts.target.backend))
    known = _binders.get(key)
    if known is None:
        binder = parts.jit.create_function_from_signature(function.signature, function.params, parts.backend)
        known = _binders[key] = (function, binder)
    return known[1]


def _lower(parts: _Triton, function: Any, bound: dict[str, Any], specialization: Any, kwargs: dict[str, Any]) -> Kernel:
    options, signature, constexprs, attrs = _pack(parts, function, bound, specialization, kwargs)

    def ast_source() -> Any:
        make = gluon_source.source_of if gluon_source.is_gluon(function) else parts.compiler.ASTSource
        return make(function, signature, constexprs, attrs)

    text = _ttir(parts, ast_source(), options, function)
    module = parse_module(text)
    entry = inlined(module)
    try:
        source = inspect.getsource(function.fn)
    except OSError as error:
        raise TilescopeError(
            tr(
                "The source of {kernel} cannot be read any more: its file was changed or removed during the run. Save "
                "the file and run again.",
                kernel=entry.name,
            )
        ) from error
    return Kernel(
        name=entry.name,
        ttir=text,
        module=module,
        plan=plan(recast(counted(named(entry)))),
        signature=signature,
        file=inspect.getsourcefile(function.fn) or "",
        first_line=function.starting_line_number,
        source=source,
        compile=lambda: parts.compiler.compile(ast_source(), target=parts.target, options=dict(options.__dict__)),
    )


def _pack(parts: _Triton, function: Any, bound: dict[str, Any], specialization: Any, kwargs: dict[str, Any]) -> Any:
    """(options, signature, constexprs, attributes), as JITFunction packs them for the compiler."""
    known = {**kwargs, "debug": _checks(function, kwargs)}
    return function._pack_args(parts.backend, known, bound, list(specialization), {})


def _ttir(parts: _Triton, source: Any, options: Any, function: Any) -> str:
    context = parts.ir.context()
    parts.ir.load_dialects(context)
    parts.backend.load_dialects(context)
    offered = {
        "target": parts.target,
        "options": options,
        "codegen_fns": parts.backend.get_codegen_implementation(options),
        "module_map": parts.backend.get_module_map(),
        "context": context,
    }
    stages: dict[str, Any] = {}
    parts.backend.add_stages(stages, options, source.language)
    try:
        accepted = inspect.signature(source.make_ir).parameters
        module = source.make_ir(**{name: offered[name] for name in accepted})
        return str(stages["ttir"](module, {})) if "ttir" in stages else gluon_source.completed(module)
    except Exception as error:
        raise CompilationRejected(_rejection(function, error)) from error


def _rejection(function: Any, error: BaseException) -> Text:
    """One sentence: the kernel, its line, and Triton's reason, which may lie in a function that the kernel calls."""
    cause = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    message = " ".join((getattr(cause, "error_message", None) or str(cause) or type(cause).__name__).split())
    name, reason = function.fn.__name__, message[:300].rstrip(".")
    if not hasattr(getattr(error, "node", None), "lineno"):
        return tr("Triton cannot compile {kernel}: {reason}.", kernel=name, reason=reason)
    try:
        lines, first = inspect.getsourcelines(function.fn)
    except OSError:  # the file was removed
        return tr("Triton cannot compile {kernel}: {reason}.", kernel=name, reason=reason)
    head = next((i for i, line in enumerate(lines) if line.lstrip().startswith("def ")), 0)
    # Triton counts lines from the kernel's def.
    line = first + head + error.node.lineno - 1  # type: ignore[attr-defined]
    location = f"{inspect.getsourcefile(function.fn)}:{line}"
    return tr("Triton cannot compile {kernel} at {location}: {reason}.", kernel=name, location=location, reason=reason)
