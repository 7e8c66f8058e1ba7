"""The state of a page: the form's parameters, their plan, the last run, and whether it had these parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from core.contracts.params import Params
from core.contracts.result import Result

P = TypeVar("P")
R = TypeVar("R", bound=Result)


@dataclass(frozen=True)
class PageState(Generic[P, R]):
    """`plan` is that of `params`; `result` is the last run, which may have had other parameters.

    `params` are those of the form, unless `form` is given: then the form has others, which are not drawn. `pinned` is
    the state of run A, which is drawn behind: it has a result.
    """

    params: Params
    plan: P
    result: R | None = None
    form: Params | None = None
    pinned: PageState[P, R] | None = None

    @property
    def form_params(self) -> Params:
        """The form's parameters, drawn or not."""
        return self.form or self.params

    @property
    def outdated(self) -> bool:
        """Whether the last run had other parameters than the form. Nothing else decides this."""
        return self.result is not None and not self.result.is_run_of(self.form_params)

    @property
    def of_a(self) -> R | None:
        """The run that is pinned as A, unless it is the one that is shown."""
        a = None if self.pinned is None else self.pinned.result
        return None if a is self.result else a

    @property
    def fitting(self) -> R | None:
        """The last run, if it had the parameters that are drawn."""
        return self.result if self.result is not None and self.result.is_run_of(self.params) else None
