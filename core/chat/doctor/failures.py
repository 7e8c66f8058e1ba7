"""A failure that the doctor knows, a complaint about one, and a group of failures that are found together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from core.chat.doctor.case import Case
from core.chat.doctor.census import Census
from core.chat.doctor.findings import Evidence
from core.chat.doctor.patient import Patient
from core.contracts.text import EMPTY, Text, tr


@dataclass(frozen=True)
class Failure:
    """One silent failure: what it is called, what goes wrong, how it is repaired, and what is said if it is absent.

    `data_decides`: the failure depends on what conversations have (thoughts, say), so the doctor's own are only heard
    where there is no data.
    """

    id: str
    label: Text
    explanation: Text
    repair: Text
    healthy: Text
    data_decides: bool = False


@dataclass(frozen=True)
class Complaint:
    """A failure found: the sentence with its numbers, and the tokens. `repair` is more precise than the failure's where
    it is given."""

    failure: str
    sentence: Text
    evidence: tuple[Evidence, ...] = ()
    repair: Text = EMPTY


Complaints = Iterable[Complaint]

NEEDS_DATA = tr("This is a property of data, and none is given.")
ALL_LEARNED = tr("Every token is a target under this policy.")
"""Reasons why a failure cannot occur, of several groups."""


def _nothing(*_: object) -> Complaints:
    return ()


def _all_apply(*_: object) -> Mapping[str, Text]:
    return {}


@dataclass(frozen=True)
class Group:
    """Failures that are found together, by up to three functions.

    `in_template` looks at tokenizer, template and setup alone; `in_conversation` at each conversation, and at the
    doctor's probes if `uses_probes`; `in_data` at the counts of all conversations. `not_applicable` gives, per id of a
    failure that cannot occur, the reason.
    """

    id: str
    label: Text
    failures: tuple[Failure, ...]
    in_template: Callable[[Patient], Complaints] = _nothing
    in_conversation: Callable[[Case], Complaints] = _nothing
    in_data: Callable[[Patient, Census], Complaints] = _nothing
    not_applicable: Callable[[Patient, bool], Mapping[str, Text]] = _all_apply
    uses_probes: bool = False
