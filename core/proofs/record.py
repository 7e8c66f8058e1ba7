"""The answer about one kernel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from core.contracts.text import Text

Verdict = Literal["proved", "counterexample", "undecided", "stopped"]


@dataclass(frozen=True)
class Proof:
    """What is known about all launches of a kernel that are like those that were seen.

    `file` and `line` are those of the kernel, or of the line that decides. `sentence` is the answer with what it
    assumes. `sizes` are those of a counterexample, and `confirmed` says whether its execution showed the fault; None if
    it was not executed. `kind` is the kind of finding that a counterexample shows, and `tensor` the parameter that it
    concerns, '' without one. `seconds` is the time that the proof took.
    """

    function: str
    file: str
    line: int
    verdict: Verdict
    sentence: Text
    seconds: float
    kind: str = ""
    tensor: str = ""
    sizes: Mapping[str, int] = field(default_factory=dict)
    confirmed: bool | None = None

    @property
    def is_fault(self) -> bool:
        """Whether a counterexample was executed and showed its fault."""
        return self.verdict == "counterexample" and self.confirmed is True
