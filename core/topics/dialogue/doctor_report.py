"""What the doctor found, as JSON values: `run dialogue --json` prints it as "doctor"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.chat.doctor import Evidence, Finding
from core.topics.dialogue.result import DialogueResult


def doctor_json(result: DialogueResult) -> Mapping[str, Any]:
    """{"doctor": ...}: a finding per failure, the conversations that are ill and the lines that are none; {} without an
    examination. Texts are in the current language."""
    found = result.examined
    if found is None:
        return {}
    return {
        "doctor": {
            "data": found.data,
            "is_ill": found.is_ill,
            "conversations": found.conversations,
            "ill_conversations": found.ill,
            "broken_lines": found.broken,
            "findings": [_finding(finding) for finding in found.findings],
            "ill": [
                {
                    "line": row.line,
                    "failures": list(row.failures),
                    "sentences": [str(sentence) for sentence in row.sentences],
                    "tokens": row.tokens,
                    "targets": row.targets,
                    "text": row.text,
                }
                for row in found.ill_rows
            ],
            "broken": [{"line": line.line, "problem": str(line.problem)} for line in found.broken_lines],
        }
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "failure": finding.failure,
        "severity": finding.severity.value,
        "sentence": str(finding.sentence),
        "repair": str(finding.repair),
        "conversations": finding.conversations,
        "evidence": [_evidence(evidence) for evidence in finding.evidence],
    }


def _evidence(evidence: Evidence) -> dict[str, Any]:
    return {
        "note": str(evidence.note),
        "text": evidence.text,
        "start": evidence.start,
        "end": evidence.end,
        "tokens": list(evidence.tokens),
        "targets": list(evidence.targets),
        "conversation": evidence.conversation,
    }
