"""Which linear layers the user's target modules name. No torch, because the window uses this too."""

from __future__ import annotations

from collections.abc import Sequence

from core.contracts.errors import InvalidParams
from core.contracts.text import listed, quoted, tr

ALL = "all"


def matches_target(full_name: str, target: str) -> bool:
    """Whether `target` matches the layer's full name by peft's rule: it is the name or its last parts."""
    return full_name == target or full_name.endswith(f".{target}")


def check_target_modules(names: Sequence[str], full_names: Sequence[str], field: str | None = "target_modules") -> None:
    """Raises InvalidParams, with the last parts of `full_names`, if a target matches no layer or none is given."""
    kinds = listed(dict.fromkeys(name.rsplit(".", 1)[-1] for name in full_names))
    if not names:
        raise InvalidParams(
            tr("No target module is given: use {all}, or one or more of {kinds}.", all=ALL, kinds=kinds), field
        )
    for target in names:
        if target != ALL and not any(matches_target(name, target) for name in full_names):
            raise InvalidParams(
                tr(
                    "This model has no target module {name}: use {all}, or one or more of {kinds}.",
                    name=quoted(target[:80]),
                    all=ALL,
                    kinds=kinds,
                ),
                field,
            )
