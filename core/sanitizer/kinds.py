"""The kinds of findings: what each means, and whether it is a fault or a remark.

A fault makes a kernel wrong or undefined on the inputs of the run. A remark is right on these inputs, and worth a look.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from core.contracts.text import Text, tr
from core.trace.record import Severity

Group = Literal["memory", "race", "number", "tuning", "progress"]


OUT_OF_BOUNDS = "out of bounds"
OUTSIDE_THE_VIEW = "outside the view"
WRONG_STRIDES = "wrong strides"
UNINITIALISED_READ = "uninitialised read"
UNDEFINED_LANES = "undefined lanes"
UNWRITTEN_OUTPUT = "unwritten output"
UNREAD_INPUT = "unread input"
BROKEN_HINT = "broken hint"
WRITE_WRITE_RACE = "write-write race"
READ_WRITE_RACE = "read-write race"
LANES_COLLIDE = "lanes collide"
ATOMIC_AND_PLAIN_ACCESS = "atomic and plain access"
MISSING_WAIT = "missing wait"
EQUAL_STORES = "equal stores"
ADDRESS_OVERFLOW = "address overflow"
ADDRESS_OVERFLOW_AHEAD = "address overflow ahead"
INTEGER_OVERFLOW = "integer overflow"
UNDEFINED_CAST = "undefined cast"
DIVISION_BY_ZERO = "division by zero"
NEGATIVE_DIVISION = "negative division"
UNDEFINED_SHIFT = "undefined shift"
NAN_BORN = "NaN born"
INFINITY_BORN = "infinity born"
CAST_OVERFLOW = "cast overflow"
TF32_ERROR = "TF32 error"
TUNED_IN_PLACE = "tuned in place"
CONFIGURATION_CHANGES_RESULT = "configuration changes result"
NO_PROGRESS = "no progress"
FAILED_ASSERTION = "failed assertion"


@dataclass(frozen=True)
class Kind:
    """`id` stands in JSON, in CSV and in a suppression comment, the same in every language; `name` is shown."""

    id: str
    group: Group
    severity: Severity
    name: Text
    help: Text

    @property
    def slug(self) -> str:
        """The id as one word, for file formats that want one."""
        return self.id.replace(" ", "-")


KINDS: dict[str, Kind] = {
    kind.id: kind
    for kind in (
        Kind(
            OUT_OF_BOUNDS, "memory", "fault", tr("out of bounds"),
            tr("An access outside the memory that its tensor lies in. A GPU may stop, or touch the memory of others."),
        ),
        Kind(
            OUTSIDE_THE_VIEW, "memory", "fault", tr("outside the view"),
            tr("An access to memory that exists, but outside the tensor that was passed: a neighbour is hit."),
        ),
        Kind(
            WRONG_STRIDES, "memory", "fault", tr("wrong strides"),
            tr("The kernel walks through a tensor in another way than its shape and strides say."),
        ),
        Kind(
            UNINITIALISED_READ, "memory", "fault", tr("uninitialised read"),
            tr("A read of memory that nobody has written since it was allocated."),
        ),
        Kind(
            UNDEFINED_LANES, "memory", "fault", tr("undefined lanes"),
            tr("Elements that a masked load left undefined reach a result, because the load has no `other`."),
        ),
        Kind(
            UNWRITTEN_OUTPUT, "memory", "fault", tr("unwritten output"),
            tr("Part of a new tensor that kernels write to was never written, as with a grid that is too small."),
        ),
        Kind(
            UNREAD_INPUT, "memory", "remark", tr("unread input"),
            tr("The last elements of an input, less than a block, are never read."),
        ),
        Kind(
            BROKEN_HINT, "memory", "fault", tr("broken hint"),
            tr("A promise to the compiler (alignment, contiguity, a multiple) that does not hold here."),
        ),
        Kind(
            WRITE_WRITE_RACE, "race", "fault", tr("write-write race"),
            tr("Two programs store to one place in no defined order."),
        ),
        Kind(
            READ_WRITE_RACE, "race", "fault", tr("read-write race"),
            tr("One program reads what another one writes, in no defined order."),
        ),
        Kind(
            LANES_COLLIDE, "race", "fault", tr("lanes collide"),
            tr("One program stores different values to one place at once, or adds to it twice: one of them is lost."),
        ),
        Kind(
            ATOMIC_AND_PLAIN_ACCESS, "race", "fault", tr("atomic and plain access"),
            tr("One program uses an atomic and another one a plain load or store at one place, in no defined order."),
        ),
        Kind(
            MISSING_WAIT, "race", "fault", tr("missing wait"),
            tr("A program uses shared memory that an asynchronous copy or product of its own still reads or writes."),
        ),
        Kind(
            EQUAL_STORES, "race", "remark", tr("equal stores"),
            tr("Several programs store to one place, all of them the same value."),
        ),
        Kind(
            ADDRESS_OVERFLOW, "number", "fault", tr("address overflow"),
            tr("An offset is larger than 32 bits can hold and wraps: the access goes to another place."),
        ),
        Kind(
            ADDRESS_OVERFLOW_AHEAD, "number", "remark", tr("address overflow ahead"),
            tr("An offset is computed in 32 bits and would wrap at a size that is named."),
        ),
        Kind(
            INTEGER_OVERFLOW, "number", "remark", tr("integer overflow"),
            tr("The result of an integer operation does not fit its type and wraps."),
        ),
        Kind(
            UNDEFINED_CAST, "number", "fault", tr("undefined cast"),
            tr("NaN, infinity or a number out of range is cast to an integer."),
        ),
        Kind(DIVISION_BY_ZERO, "number", "fault", tr("division by zero"), tr("An integer is divided by zero.")),
        Kind(
            NEGATIVE_DIVISION, "number", "remark", tr("negative division"),
            tr("A negative integer is divided: kernels round towards zero, Python rounds down."),
        ),
        Kind(
            UNDEFINED_SHIFT, "number", "fault", tr("undefined shift"),
            tr("A number is shifted by less than zero, or by as many bits as it has or more."),
        ),
        Kind(
            NAN_BORN, "number", "fault", tr("NaN born"),
            tr("An operation makes NaN, although none of its operands is NaN."),
        ),
        Kind(
            INFINITY_BORN, "number", "remark", tr("infinity born"),
            tr("An operation makes infinity from operands that are finite numbers."),
        ),
        Kind(
            CAST_OVERFLOW, "number", "fault", tr("cast overflow"),
            tr("A finite number is beyond the range of the float type that it is cast to."),
        ),
        Kind(
            TF32_ERROR, "number", "remark", tr("TF32 error"),
            tr("A product of float32 tiles in TF32 loses digits that the result needs."),
        ),
        Kind(
            TUNED_IN_PLACE, "tuning", "fault", tr("tuned in place"),
            tr("Autotuning runs a kernel several times, and the kernel changes its own inputs."),
        ),
        Kind(
            CONFIGURATION_CHANGES_RESULT, "tuning", "fault", tr("configuration changes result"),
            tr("Two configurations of an autotuned kernel give results that differ by more than rounding."),
        ),
        Kind(
            NO_PROGRESS, "progress", "fault", tr("no progress"),
            tr("A loop waits for a value that nobody will write, or repeats itself without end."),
        ),
        Kind(
            FAILED_ASSERTION, "progress", "fault", tr("failed assertion"),
            tr("An assertion of the kernel itself fails."),
        ),
    )
}  # fmt: skip
"""In the order in which they are listed."""


def group_of(kind: str) -> Group | None:
    """The group of a kind; None for a kind of another version."""
    known = KINDS.get(kind)
    return None if known is None else known.group
