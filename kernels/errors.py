"""Errors of the kernels. Each is one clear sentence for the user."""

from __future__ import annotations

from typing import Any

Value = str | int | float


class KernelError(Exception):
    """One sentence: what is wrong, and what to do.

    `message` holds `{name}` for each of `values`: the error is data, which the caller can show in another language.
    """

    def __init__(self, message: str, /, **values: Value) -> None:
        self.message, self.values = message, values
        super().__init__(message.format_map(values) if values else message)

    def __reduce__(self) -> tuple[Any, ...]:
        return (_again, (type(self), self.message, self.values))


class InvalidInputs(KernelError):
    """Shapes, dtypes or options for which the computation is not defined."""


class Unavailable(KernelError):
    """The requested implementation cannot run here; there is no silent fallback to another."""


def _again(kind: type[KernelError], message: str, values: dict[str, Value]) -> KernelError:
    return kind(message, **values)
