"""The one way in to transformers: its import takes one to four seconds, so it happens inside functions, here.

transformers looks for a package called `kernels` (Hugging Face's) to fetch kernels with. This project's own package
has that name too, and would be taken for it wherever Hugging Face's is installed beside it: the first import is made
to find none.
"""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version

from core.contracts.errors import TilescopeError

LIBRARIES = ("torch", "transformers", "tokenizers")

WHAT_LIBRARIES_RAISE = (
    TilescopeError,
    RuntimeError,
    ValueError,
    AttributeError,
    LookupError,
    TypeError,
    AssertionError,
    ArithmeticError,
    MemoryError,
)
"""torch, transformers and peft, in an architecture that they were not made for, or out of memory: where a late step of
a run may end so, what was found before is kept."""


def reason(error: BaseException) -> str:
    """The first line of what an error of a library says, without a full stop at its end; its kind where it says
    nothing."""
    if isinstance(error, KeyError):  # says nothing but the key
        return f"KeyError: {error}"
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


def library_versions() -> dict[str, str]:
    """The versions that the weights of the small model may depend on, without importing anything."""
    return {name: version(name) for name in LIBRARIES}


def import_transformers() -> None:
    """Import transformers so that it takes nothing for Hugging Face's `kernels`; at once, after the first time."""
    if "transformers" not in sys.modules:
        with _no_package("kernels"):
            from transformers.utils import is_kernels_available

            is_kernels_available()  # asked once per process; the answer is kept


def import_peft() -> None:
    """Import peft, and what it brings, without warnings in the log; at once, after the first time.

    bitsandbytes, which peft imports where it is installed, looks for Hugging Face's `kernels` too.
    """
    if "peft" not in sys.modules:
        import_transformers()
        log = logging.getLogger("bitsandbytes")
        level = log.level
        log.setLevel(logging.ERROR)
        try:
            with _no_package("kernels"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                import peft  # noqa: F401
        finally:
            log.setLevel(level)


def import_for_training() -> None:
    """Import all that training the small model with an adapter needs."""
    import_peft()
    with silent_transformers():
        from transformers import LlamaForCausalLM, PreTrainedTokenizerFast  # noqa: F401 (found lazily: one second)


@contextmanager
def silent_transformers() -> Iterator[None]:
    """Inside, transformers is imported, draws no progress bar and logs errors only; afterwards as it was."""
    import_transformers()
    from transformers.utils import logging as their_logging

    verbosity, bars = their_logging.get_verbosity(), their_logging.is_progress_bar_enabled()
    their_logging.set_verbosity_error()
    their_logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        their_logging.set_verbosity(verbosity)
        if bars:
            their_logging.enable_progress_bar()


@contextmanager
def _no_package(name: str) -> Iterator[None]:
    """Inside, `import name` fails and `find_spec(name)` finds nothing."""
    absent = object()
    before = sys.modules.get(name, absent)
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if before is absent:
            del sys.modules[name]
        else:
            sys.modules[name] = before  # type: ignore[assignment]
