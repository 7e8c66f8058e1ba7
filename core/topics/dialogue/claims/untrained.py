"""The finding of claims about a training that a run does not have."""

from __future__ import annotations

from core.contracts.claims import Finding
from core.contracts.judging import not_tested
from core.contracts.text import tr


def not_trained() -> Finding:
    return not_tested(tr("This run did not train this: choose {choice} under Experiments.", choice=tr("all")))
