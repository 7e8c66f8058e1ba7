"""Importing transformers and peft. The import takes one to four seconds, so it happens inside functions.

transformers looks for Hugging Face's package `kernels`. This project has a package of the same name, which
transformers would use by mistake if Hugging Face's package is installed too. So the first import hides `kernels`.
"""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version

from core.contracts.errors import TilescopeError
from core.contracts.text import Text, verbatim
from core.outside import first_line

LIBRARIES = ("torch", "transformers", "tokenizers")

LIBRARY_ERRORS = (
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
"""Errors of torch, transformers and peft for an unsupported architecture or exhausted memory. A run that meets one of
them in a late step keeps its earlier results."""


def reason(error: BaseException) -> Text:
    """Our own error as it is; else the first line of the message with a full stop, or the error's type if the message
    is empty."""
    if isinstance(error, TilescopeError):
        return error.text
    if isinstance(error, KeyError):  # its message is only the key
        return verbatim(f"KeyError: {error}.")
    return verbatim(f"{first_line(error) or type(error).__name__}.")


def library_versions() -> dict[str, str]:
    """The library versions that may affect the weights of the small model. Imports none of the libraries."""
    return {name: version(name) for name in LIBRARIES}


def import_transformers() -> None:
    """Import transformers while hiding this project's `kernels`. Only the first call takes time."""
    if "transformers" not in sys.modules:
        with _hidden_package("kernels"):
            from transformers.utils import is_kernels_available

            is_kernels_available()  # cached for the rest of the process


def import_peft() -> None:
    """Import peft and its dependencies without warnings in the log. Only the first call takes time.

    peft imports bitsandbytes if it is installed, and bitsandbytes also looks for Hugging Face's `kernels`.
    """
    if "peft" not in sys.modules:
        import_transformers()
        log = logging.getLogger("bitsandbytes")
        level = log.level
        log.setLevel(logging.ERROR)
        try:
            with _hidden_package("kernels"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                import peft  # noqa: F401
        finally:
            log.setLevel(level)


def import_for_training() -> None:
    """Import everything that training the small model with an adapter needs."""
    import_peft()
    with silent_transformers():
        from transformers import LlamaForCausalLM, PreTrainedTokenizerFast  # noqa: F401 (imported lazily: one second)


@contextmanager
def silent_transformers() -> Iterator[None]:
    """Inside this context transformers draws no progress bars and logs only errors. Restores both settings."""
    import_transformers()
    from transformers.utils import logging as transformers_logging

    verbosity, bars = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if bars:
            transformers_logging.enable_progress_bar()


@contextmanager
def _hidden_package(name: str) -> Iterator[None]:
    """Inside this context `import name` fails and `find_spec(name)` finds nothing."""
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
