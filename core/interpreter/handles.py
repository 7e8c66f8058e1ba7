"""What a launch or `kernel.warmup(...)` returns inside a trace, in the place of Triton's compiled kernel.

Its TTIR is at hand. Anything further (PTX, registers, shared memory) is compiled when somebody asks for it, which needs
no GPU. `handle[grid](...)` is a launch, and traced like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any

from core.contracts.errors import TilescopeError
from core.contracts.text import tr
from core.interpreter import cubin
from core.interpreter.frontend import Kernel
from core.interpreter.specialised import Ignored

Launcher = Callable[[Kernel, dict[str, Any], Any, Ignored], None]
"""Executes a kernel with all its arguments by name, for a grid. The last are constants that differ from those given."""

Usage = tuple[int | None, int | None]
"""Registers and spilled registers of a thread; None where they are not known."""

_BYTES_PER_REGISTER = 4
_BEFORE_ARGUMENTS = 6
"""What Triton's launcher takes after the grid and before the arguments of the kernel."""


class LaunchHandle:
    """A kernel that was lowered for one specialisation of its arguments; `bound` are those that it was lowered for."""

    def __init__(self, kernel: Kernel, bound: dict[str, Any], launch: Launcher) -> None:
        self._kernel = kernel
        self._bound = bound
        self._launch = launch
        self.name = kernel.name
        self.asm = _Asm(kernel.ttir, lambda: self._compiled.asm)

    def __getitem__(self, grid: Any) -> Callable[..., None]:
        """Launches the kernel as it was lowered: with all arguments, or with those that are no constants."""

        def run(*args: Any, stream: Any = None) -> None:
            self._run(args, grid)

        return run

    @property
    def function(self) -> int:
        """On a GPU, the address of the loaded kernel. `run` is given it back, and ignores it."""
        return 0

    @property
    def packed_metadata(self) -> tuple[()]:
        """For `run`, which ignores it."""
        return ()

    def run(self, grid_x: int, grid_y: int, grid_z: int, *rest: Any) -> None:
        """A launch as Triton's own launcher makes it, which libraries call to save time. Between the grid and the
        arguments are the stream, the function, two kinds of metadata and two hooks."""
        self._run(rest[_BEFORE_ARGUMENTS:], (grid_x, grid_y, grid_z))

    def _run(self, args: tuple[Any, ...], grid: Any) -> None:
        names = list(self._bound)
        variable = [name for name in names if self._kernel.signature.get(name) != "constexpr"]
        if len(args) not in (len(names), len(variable)):
            raise TilescopeError(
                tr(
                    "The compiled kernel {kernel} takes {all} arguments, or the {variable} that are no constants, but "
                    "was launched with {given}.",
                    kernel=self.name,
                    all=len(names),
                    variable=len(variable),
                    given=len(args),
                )
            )
        given = dict(zip(names if len(args) == len(names) else variable, args, strict=True))
        bound = {name: given[name] if name in variable else value for name, value in self._bound.items()}
        ignored = {name: (bound[name], value) for name, value in given.items() if _differs(bound[name], value)}
        self._launch(self._kernel, bound, grid, ignored)

    @cached_property
    def _compiled(self) -> Any:
        return self._kernel.compile()

    @cached_property
    def _usage(self) -> tuple[int | None, int]:
        return cubin.usage(self._compiled.asm)

    @property
    def n_regs(self) -> int | None:
        """Registers of a thread."""
        return self._usage[0]

    @property
    def n_spills(self) -> int:
        """Registers of a thread that are kept in memory."""
        return self._usage[1] // _BYTES_PER_REGISTER

    def usage(self) -> Usage:
        """`n_regs` and `n_spills`, or None if the kernel cannot be compiled for the target."""
        try:
            return self.n_regs, self.n_spills
        except Exception:  # too much shared memory, or no assembler
            return None, None

    def _init_handles(self) -> None:
        """Triton loads the binary onto the GPU here."""

    def __getattr__(self, name: str) -> Any:
        """`metadata`, `hash` and so on, of the compiled kernel."""
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._compiled, name)


def _differs(constant: Any, given: Any) -> bool:
    """Whether a constant is another one than was given. Only numbers and texts are compared."""
    plain = (bool, int, float, str)
    return isinstance(constant, plain) and isinstance(given, plain) and constant != given


class _Asm(Mapping[str, Any]):
    """The stages of a compilation by name. All but the TTIR are compiled on demand."""

    def __init__(self, ttir: str, compiled: Callable[[], Mapping[str, Any]]) -> None:
        self._ttir = ttir
        self._compiled = compiled

    def __getitem__(self, stage: str) -> Any:
        return self._ttir if stage == "ttir" else self._compiled()[stage]

    def __iter__(self) -> Iterator[str]:
        return iter(self._compiled())

    def __len__(self) -> int:
        return len(self._compiled())
