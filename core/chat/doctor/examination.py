"""Examines a tokenizer, its template and a few conversations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

from core.chat.doctor import probes
from core.chat.doctor.case import prepare
from core.chat.doctor.census import Census, LossOf, UnigramLoss
from core.chat.doctor.conversations import NO_TARGET
from core.chat.doctor.failures import Complaint
from core.chat.doctor.findings import Evidence, Finding, Severity
from core.chat.doctor.patient import Patient
from core.chat.doctor.registry import FAILURES, GROUPS
from core.chat.doctor.rendered_messages import REFUSED
from core.chat.doctor.setup import TrainingSetup
from core.chat.messages import Conversation, InvalidConversation
from core.chat.rendering import ChatTemplate
from core.chat.template_errors import BrokenTemplate
from core.chat.tokenizer import ChatTokenizer
from core.contracts.text import Text, sentences, tr, tr_plural

_KEPT_OF_PROBES, _KEPT_OF_DATA = 1, 2


class Examination:
    """Collects complaints: first about the template, then conversation by conversation, then about all of them.

    Raises InvalidParams for a setup that does not fit the tokenizer. `loss_of` gives the loss of a conversation's
    targets, where a model is at hand; otherwise `UnigramLoss`.
    """

    def __init__(
        self,
        tokenizer: ChatTokenizer,
        template: ChatTemplate,
        setup: TrainingSetup | None = None,
        *,
        loss_of: LossOf | None = None,
    ) -> None:
        special = tuple(sorted(template.special.items()))
        self.patient, of_template = _known(tokenizer, template.source, template.name, special, setup or TrainingSetup())
        self.census = Census(loss_of or UnigramLoss(len(self.patient.added)))
        self.refused = 0
        self._complaints: dict[str, list[Complaint]] = {}
        self._conversations: dict[str, int] = {}
        self._collect(of_template)

    @property
    def examined(self) -> int:
        """Conversations so far, with those that the template refuses."""
        return len(self.census) + self.refused

    def examine_conversation(self, conversation: Conversation, number: int) -> list[Complaint]:
        """What is wrong with one conversation. `number` counts from 1."""
        try:
            case = prepare(self.patient, conversation, number)
        except (BrokenTemplate, InvalidConversation) as error:
            self.refused += 1
            complaints = [_refusal(error, number)]
        else:
            self.census.add(case)
            complaints = [complaint for group in GROUPS for complaint in group.in_conversation(case)]
        self._collect(complaints)
        for failure in {complaint.failure for complaint in complaints}:
            self._conversations[failure] = self._conversations.get(failure, 0) + 1
        return complaints

    def findings(self) -> tuple[Finding, ...]:
        """One verdict per failure, with what was found so far."""
        whole: dict[str, list[Complaint]] = {}
        for group in GROUPS:
            for complaint in group.in_data(self.patient, self.census):
                whole.setdefault(complaint.failure, []).append(complaint)
        has_data = self.examined > 0
        reasons = {key: text for group in GROUPS for key, text in group.not_applicable(self.patient, has_data).items()}
        return tuple(self._finding(failure, whole.get(failure, []), reasons) for failure in FAILURES)

    def _collect(self, complaints: Iterable[Complaint]) -> None:
        """Keeps the first of each failure, in the probes and in the data."""
        for complaint in complaints:
            kept = self._complaints.setdefault(complaint.failure, [])
            in_data = _is_of_data(complaint)
            if sum(_is_of_data(other) == in_data for other in kept) < (_KEPT_OF_DATA if in_data else _KEPT_OF_PROBES):
                kept.append(complaint)

    def _finding(self, failure_id: str, whole: list[Complaint], reasons: Mapping[str, Text]) -> Finding:
        failure, count = FAILURES[failure_id], self._conversations.get(failure_id, 0)
        complaints = [*self._complaints.get(failure_id, []), *whole]
        if failure.data_decides and self.examined and not count:
            complaints = []
        if not complaints:
            if failure_id in reasons:
                return Finding(failure_id, Severity.NOT_APPLICABLE, reasons[failure_id])
            return Finding(failure_id, Severity.OK, failure.healthy)
        affected = tr_plural(
            "{count:,} of {total:,} conversations is affected.",
            "{count:,} of {total:,} conversations are affected.",
            count=count,
            total=self.examined,
        )
        return Finding(
            failure_id,
            Severity.ILL,
            sentences(complaints[0].sentence, affected if count else ""),
            tuple(evidence for complaint in complaints for evidence in complaint.evidence),
            complaints[0].repair or failure.repair,
            count,
        )


def examine(
    tokenizer: ChatTokenizer,
    template: ChatTemplate,
    setup: TrainingSetup | None = None,
    conversations: Iterable[Conversation] = (),
    *,
    loss_of: LossOf | None = None,
) -> tuple[Finding, ...]:
    """One verdict per failure of `FAILURES`, in its order.

    Raises InvalidParams for a setup that does not fit the tokenizer. A template that cannot be rendered is a finding.
    """
    examination = Examination(tokenizer, template, setup, loss_of=loss_of)
    for number, conversation in enumerate(conversations, 1):
        examination.examine_conversation(conversation, number)
    return examination.findings()


@lru_cache(maxsize=4)
def _known(
    tokenizer: ChatTokenizer, source: str, name: str, special: tuple[tuple[str, str], ...], setup: TrainingSetup
) -> tuple[Patient, tuple[Complaint, ...]]:
    """A patient with what is wrong with its template, kept: a page examines a conversation at every key press."""
    patient = Patient(tokenizer, ChatTemplate(source, name, dict(special)), setup)
    return patient, tuple(_of_template(patient))


def _of_template(patient: Patient) -> Iterator[Complaint]:
    """What is wrong with tokenizer, template and setup: what groups find in them, and in the doctor's own
    conversations."""
    for group in GROUPS:
        yield from group.in_template(patient)
    try:
        for case in probes.cases(patient):
            for group in GROUPS:
                if group.uses_probes:
                    yield from group.in_conversation(case)
    except BrokenTemplate as error:
        yield _refusal(error, 0)


def _is_of_data(complaint: Complaint) -> bool:
    return any(evidence.conversation for evidence in complaint.evidence)


def _refusal(error: BrokenTemplate | InvalidConversation, number: int) -> Complaint:
    """A conversation without messages is invalid: it has no target either."""
    failure = REFUSED if isinstance(error, BrokenTemplate) else NO_TARGET
    return Complaint(failure.id, error.text, (Evidence(tr("Rendering ends here."), conversation=number),))
