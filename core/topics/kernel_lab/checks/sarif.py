"""A check as SARIF 2.1.0, which services for code show beside the lines of a change (OASIS standard, March 2020)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from core.sanitizer.kinds import KINDS, Kind
from core.topics.kernel_lab.checks.check import Check, Found
from core.versions import versions

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {"fault": "error", "remark": "note"}


def sarif(check: Check) -> dict[str, Any]:
    """The document as JSON values, texts in the current language. Every kind is a rule, in the order of `KINDS`."""
    failure = str(check.result.failure)
    notes = [(str(message.text), "warning") for message in check.result.messages if str(message.text) != failure]
    notes += [(f"{each.file}:{each.line}: {each.problem}", "warning") for each in check.refused]
    notes += [(failure, "error")] if failure else []
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "Tilescope",
                        "semanticVersion": versions()["tilescope"],
                        "rules": [_rule(kind) for kind in KINDS.values()],
                    }
                },
                "invocations": [
                    {
                        "executionSuccessful": not failure,
                        "toolExecutionNotifications": [
                            {"level": level, "message": {"text": text}} for text, level in notes
                        ],
                    }
                ],
                "columnKind": "unicodeCodePoints",
                "results": [_result(found) for found in check.found],
            }
        ],
    }


def _rule(kind: Kind) -> dict[str, Any]:
    return {
        "id": kind.slug,
        "name": "".join(word[:1].upper() + word[1:] for word in kind.slug.split("-")),
        "shortDescription": {"text": str(kind.name)},
        "fullDescription": {"text": str(kind.help)},
        "defaultConfiguration": {"level": _LEVELS[kind.severity]},
        "properties": {"group": kind.group},
    }


def _result(found: Found) -> dict[str, Any]:
    row = found.row
    result: dict[str, Any] = {
        "ruleId": KINDS[row.kind].slug if row.kind in KINDS else row.kind.replace(" ", "-"),
        "level": _LEVELS[row.severity],
        "message": {"text": found.text},
        "locations": [_location(row.file, row.line, row.function)],
        "properties": {"tensor": row.tensor, "program": row.program, "launches": list(found.launches)},
    }
    if row.kind in KINDS:
        result["ruleIndex"] = list(KINDS).index(row.kind)
    if row.other_file:
        result["relatedLocations"] = [_location(row.other_file, row.other_line, row.function)]
    if found.suppression is not None:
        result["suppressions"] = [{"kind": "inSource", "justification": found.suppression.reason}]
    return result


def _location(file: str, line: int, function: str) -> dict[str, Any]:
    path = Path(file)
    uri = path.as_uri() if path.is_absolute() else path.as_posix()
    return {
        "physicalLocation": {"artifactLocation": {"uri": uri}, "region": {"startLine": max(1, line)}},
        "logicalLocations": [{"name": function, "kind": "function"}],
    }
