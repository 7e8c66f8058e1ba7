"""The state of one run: the values of the lanes being executed, and the state that all lanes share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import torch

from core.contracts.errors import TilescopeError
from core.contracts.text import Text
from core.interpreter.address_book import AddressBook
from core.interpreter.changes import Changes
from core.interpreter.diagnostics import Diagnostics
from core.interpreter.memory import Memory
from core.interpreter.noticed import Noticed
from core.interpreter.shadows.doubts import Doubts
from core.interpreter.shadows.suspects import Suspects
from core.interpreter.stored_values import StoredValues
from core.interpreter.unwritten import UnwrittenStores
from core.interpreter.values import Lanes
from core.trace.affine import IntArray
from core.trace.record import Access, WatchRecorder, coordinates
from core.trace.size import TraceSize

if TYPE_CHECKING:
    from core.interpreter.asynchronous import Units

ProgressCallback = Callable[[float, float, Text], None]


class Turns(Protocol):
    """Lets programs go on while others wait (`program_turns`)."""

    def wait(self, waiting: Any, addresses: Sequence[int] | None) -> None:
        """Let others go on until one of them changes memory at the addresses (None: anywhere)."""

    def give_way(self) -> None:
        """Let others go on first."""


@dataclass
class Run:
    """One launch being executed. `advance(fraction)` reports the progress of the current chunk and may raise.

    `stopped` says why it was stopped before its end. Where programs wait for each other, `changes` notes what they
    change, and with `turns` one goes on while others wait.
    """

    function: str
    grid: tuple[int, int, int]
    device: torch.device
    memories: list[Memory]
    watcher: WatchRecorder
    advance: Callable[[float], None]
    accesses: list[Access] = field(default_factory=list)
    diagnostics: Diagnostics = field(default_factory=Diagnostics)
    doubts: Doubts = field(default_factory=Doubts)
    noticed: Noticed = field(default_factory=Noticed)
    unwritten: UnwrittenStores = field(default_factory=UnwrittenStores)
    size: TraceSize = field(default_factory=TraceSize)
    product_flops: int = 0
    stored: StoredValues = field(default_factory=StoredValues)
    suspects: Suspects | None = None
    changes: Changes | None = None
    turns: Turns | None = None
    stopped: TilescopeError | None = None
    _views: dict[tuple[int, int], Memory] = field(default_factory=dict)

    def memory(self, buffer: int, width: int) -> Memory:
        """The memory of a tensor, as elements of `width` bytes."""
        memory = self.memories[buffer]
        if memory.element_bytes == width:
            return memory
        view = self._views.get((buffer, width))
        if view is None:
            view = self._views[buffer, width] = memory.viewed(width)
        return view

    @cached_property
    def address_book(self) -> AddressBook:
        """The tensors of the launch by address."""
        return AddressBook(self.memories)

    def record(self, access: Access) -> None:
        """Add an access to the trace, before it touches memory. Raises TraceTooLarge beyond the limit of the trace."""
        self.size.add(access, self.function)
        self.accesses.append(access)


class Frame:
    """The environment of the lanes being executed.

    `values[slot]` is the value of each SSA value, `programs` the linear program id of each lane, in lane order.
    `iteration` are the counters of the enclosing loops, outermost first; `order` counts the accesses so far. `units` is
    what happens beside the instructions of a Gluon kernel.
    """

    __slots__ = ("count", "iteration", "order", "programs", "run", "units", "values")

    def __init__(self, run: Run, slots: int, programs: IntArray) -> None:
        self.run = run
        self.values: list[Any] = [None] * slots
        self.programs = programs
        self.count = len(programs)
        self.iteration: tuple[int, ...] = ()
        self.order = 0
        self.units: Units | None = None

    def of_lanes(self, lanes: Lanes) -> Frame:
        """A frame without values for some of the lanes, at the same place of the execution."""
        inner = Frame(self.run, 0, self.programs[lanes])
        inner.iteration, inner.order = self.iteration, self.order
        return inner

    def program_id(self, axis: int) -> IntArray:
        """Coordinate of each lane's program along a grid axis; x is fastest."""
        x, y, _ = self.run.grid
        linear = self.programs
        return (linear % x, linear // x % y, linear // (x * y))[axis]

    def describe_program(self, lane: int) -> str:
        """'(x, y, z)' of a lane."""
        return coordinates(self.run.grid, int(self.programs[lane]))

    def narrow(self, count: int) -> None:
        """Keep the first `count` lanes."""
        self.programs = self.programs[:count]
        self.count = count
