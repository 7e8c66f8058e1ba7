"""Lowers a Gluon kernel (`@gluon.jit`), whose IR names layouts, shared memory and barriers.

Triton makes TTGIR of it at once. Its own passes then check and complete the layouts. What would turn descriptors that
the kernel makes into bytes of global memory is left out: the interpreter reads them as they are.
"""

from __future__ import annotations

from typing import Any

from core.contracts.errors import TilescopeError
from core.contracts.text import tr


def is_gluon(function: Any) -> bool:
    return bool(getattr(function, "is_gluon", lambda: False)())


def refuse_clusters(function: Any, options: dict[str, Any]) -> None:
    """Raises TilescopeError for a Gluon kernel of several CTAs per program."""
    if is_gluon(function) and int(options.get("num_ctas", 1)) > 1:
        raise TilescopeError(
            tr(
                "The Gluon kernel {kernel} runs as a cluster of {count} CTAs per program, which Tilescope does not "
                "execute: launch it with num_ctas=1.",
                kernel=function.fn.__name__,
                count=int(options["num_ctas"]),
            )
        )


def source_of(function: Any, signature: Any, constexprs: Any, attributes: Any) -> Any:
    """The Gluon counterpart of Triton's ASTSource."""
    from triton.experimental.gluon._runtime import GluonASTSource

    return GluonASTSource(function, signature, constexprs, attributes)


_PASSES = (
    ("gluon", "add_inliner"),
    ("gluon", "add_infer_coalesced_encodings"),
    ("gluon", "add_resolve_auto_encodings"),
    ("gluon", "add_canonicalizer"),
    ("common", "add_sccp"),
    ("ttir", "add_loop_aware_cse"),
    ("gluon", "add_canonicalizer"),
)
"""Those of the compiler's first stage. An older Triton lacks some of them."""


def completed(module: Any) -> str:
    """The printed module with its calls inlined and its layouts resolved."""
    from triton._C.libtriton import ir, passes

    manager = ir.pass_manager(module.context)
    manager.enable_debug()
    for group, name in _PASSES:
        add = getattr(getattr(passes, group, None), name, None)
        if add is not None:
            add(manager)
    try:
        manager.run(module, "gluon_to_ttgir")
    except TypeError:  # Triton 3.6 does not name its stages
        manager.run(module)
    return str(module)
