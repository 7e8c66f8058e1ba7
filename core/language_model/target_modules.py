"""Which linear layers are meant by the target modules that the user names. No torch: the window asks too."""

from __future__ import annotations

from collections.abc import Sequence

from core.contracts.errors import InvalidParams

ALL = "all"


def is_named(full_name: str, target: str) -> bool:
    """Whether `target` is the end of the layer's full name, as peft matches it."""
    return full_name == target or full_name.endswith(f".{target}")


def check_target_modules(names: Sequence[str], full_names: Sequence[str], field: str | None = "target_modules") -> None:
    """Raises InvalidParams, listing the last parts of `full_names`, for a target that names no layer, and for none."""
    kinds = ", ".join(dict.fromkeys(name.rsplit(".", 1)[-1] for name in full_names))
    if not names:
        raise InvalidParams(f"No target module is named: use {ALL}, or some of {kinds}.", field)
    for target in names:
        if target != ALL and not any(is_named(name, target) for name in full_names):
            raise InvalidParams(
                f"There is no target module {target[:80]!r} in this model: use {ALL}, or some of {kinds}.", field
            )
