"""How large texts are, and the lengths that grow with them.

A length beside or around a text is a `Px`: `_ROW_PX = Px(23)` is 23 pixels at 100 %, and 29 at 125 %. It is used like a
number, and read anew whenever it is used. What is made with it keeps the size of that moment: pages are built anew when
the size changes (`gui.window.page_stack`).
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar

STEPS = (0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 1.75, 2.0)
"""The sizes that there are, as factors."""

F = TypeVar("F", bound=Callable[..., Any])

_factor = 1.0
_caches: list[Any] = []


def factor() -> float:
    """1 for 100 %."""
    return _factor


def use(factor: float) -> None:
    """Show texts in that size from now on; the nearest step counts. Views that exist keep theirs."""
    global _factor
    _factor = min(STEPS, key=lambda step: abs(step - factor))
    for cache in _caches:
        cache.cache_clear()


def stepped(steps: int) -> float:
    """The factor so many steps larger, or smaller, than now."""
    place = STEPS.index(_factor) + steps
    return STEPS[max(0, min(place, len(STEPS) - 1))]


def cached(maxsize: int | None) -> Callable[[F], F]:
    """`lru_cache` for what is measured on texts: emptied when their size changes."""

    def decorate(function: F) -> F:
        made = lru_cache(maxsize)(function)
        _caches.append(made)
        return made  # type: ignore[return-value]

    return decorate


def _binary(operation: Callable[[Any, Any], Any]) -> Callable[[Px, Any], Any]:
    def compute(self: Px, other: Any) -> Any:
        mine = self.at_100 if _factor == 1.0 else self.now  # a chart does this thousands of times per redraw
        return operation(mine, other.now if type(other) is Px else other)

    return compute


def _reflected(operation: Callable[[Any, Any], Any]) -> Callable[[Px, Any], Any]:
    def compute(self: Px, other: Any) -> Any:
        return operation(other, self.at_100 if _factor == 1.0 else self.now)

    return compute


class Px:
    """A length in logical pixels that grows with the text. Arithmetic with it gives plain numbers."""

    __slots__ = ("at_100",)

    def __init__(self, at_100: float) -> None:
        self.at_100 = at_100

    @property
    def now(self) -> Any:
        """The length at this moment; a whole number stays one."""
        if _factor == 1.0:
            return self.at_100
        scaled = self.at_100 * _factor
        return round(scaled) if isinstance(self.at_100, int) else scaled

    def __int__(self) -> int:
        return int(self.now)

    def __index__(self) -> int:
        return int(operator.index(self.now))

    def __float__(self) -> float:
        return float(self.now)

    def __round__(self, digits: int | None = None) -> Any:
        return round(self.now, digits)

    def __bool__(self) -> bool:
        return bool(self.now)

    def __neg__(self) -> Any:
        return -self.now

    def __format__(self, spec: str) -> str:
        return format(self.now, spec)

    def __repr__(self) -> str:
        return f"Px({self.at_100!r})"

    def __hash__(self) -> int:
        return hash(self.now)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        import numpy as np

        return np.asarray(self.now, dtype)

    __add__, __radd__ = _binary(operator.add), _reflected(operator.add)
    __sub__, __rsub__ = _binary(operator.sub), _reflected(operator.sub)
    __mul__, __rmul__ = _binary(operator.mul), _reflected(operator.mul)
    __truediv__, __rtruediv__ = _binary(operator.truediv), _reflected(operator.truediv)
    __floordiv__, __rfloordiv__ = _binary(operator.floordiv), _reflected(operator.floordiv)
    __mod__, __rmod__ = _binary(operator.mod), _reflected(operator.mod)
    __lt__, __le__ = _binary(operator.lt), _binary(operator.le)
    __gt__, __ge__ = _binary(operator.gt), _binary(operator.ge)
    __eq__, __ne__ = _binary(operator.eq), _binary(operator.ne)
