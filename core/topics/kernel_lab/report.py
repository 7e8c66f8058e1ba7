"""The report of a trace as one JSON object: complete, and of a versioned form that programs can rely on.

`docs/trace-report.schema.json` is the schema of `Report`; a test keeps it up to date. Fields are only added within a
version. Texts (claims, messages, notes, faults) are in the language of the interface; all names and values are not.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from core.contracts import archive
from core.contracts.claims import Claim, Finding, Verdict
from core.contracts.result import number_or_none
from core.topics.kernel_lab.result import ConfigRow, Handover, KernelLabResult, Printed
from core.trace.tables import FaultRow, LaunchRow, LineRow, SectorRow, TensorRow
from core.trace.totals import KernelTotal, TensorTotal


@dataclass(frozen=True)
class MetricValue:
    """A total of all launches; `value` is null where there is none."""

    value: float | None
    unit: str
    provenance: str
    note: str = ""


@dataclass(frozen=True)
class ClaimTested:
    """What the trace says about a common statement."""

    id: str
    statement: str
    verdict: Verdict
    evidence: str


@dataclass(frozen=True)
class Notice:
    """`severity` is 'notice' or 'warning'."""

    severity: str
    text: str


@dataclass(frozen=True)
class Totals:
    """What the launches of the same kernel, and those that touch the same tensor, move together: the heaviest first."""

    kernels: tuple[KernelTotal, ...]
    tensors: tuple[TensorTotal, ...]


@dataclass(frozen=True)
class Report:
    """The report of one trace.

    `trace` says which was taken: with 'addresses only', arithmetic was skipped; null for a trace file of an older
    version. `provenance` names the device, how kernels ran on it, and versions. The rows of the tables refer to
    launches by their number, from 0. `lines` and `sectors` have one row per launch, source line, kind of access and
    parameter. `handovers` are bytes that a launch reads and an earlier one wrote. `printed` is what the file and its
    kernels printed. `failure` says what the function raised after these launches, '' if nothing.
    """

    format: Literal["tilescope-trace-report"]
    version: Literal[1]
    topic: str
    params: Mapping[str, Any]
    provenance: Mapping[str, str]
    trace: Literal["full", "addresses only"] | None
    metrics: Mapping[str, MetricValue]
    claims: tuple[ClaimTested, ...]
    messages: tuple[Notice, ...]
    totals: Totals
    launches: tuple[LaunchRow, ...]
    tensors: tuple[TensorRow, ...]
    lines: tuple[LineRow, ...]
    sectors: tuple[SectorRow, ...]
    configs: tuple[ConfigRow, ...]
    faults: tuple[FaultRow, ...]
    handovers: tuple[Handover, ...]
    printed: tuple[Printed, ...]
    failure: str


def report(result: KernelLabResult, findings: Sequence[tuple[Claim, Finding]]) -> dict[str, Any]:
    """The report as JSON values, texts in the current language."""
    kinds: dict[bool | None, Literal["full", "addresses only"] | None] = {
        None: None,
        True: "addresses only",
        False: "full",
    }
    whole = Report(
        format="tilescope-trace-report",
        version=1,
        topic=result.topic,
        params=result.params_json,
        provenance=result.environment.as_json(),
        trace=kinds[result.addresses_only],
        metrics={
            name: MetricValue(number_or_none(metric.value), metric.unit, metric.provenance.value, str(metric.note))
            for name, metric in result.metrics.items()
        },
        claims=tuple(
            ClaimTested(claim.id, str(claim.statement), finding.verdict, str(finding.evidence))
            for claim, finding in findings
        ),
        messages=tuple(Notice(message.severity, str(message.text)) for message in result.notices),
        totals=Totals(result.kernel_totals, result.tensor_totals),
        launches=result.launches,
        tensors=result.tensors,
        lines=result.line_traffic,
        sectors=result.sectors,
        configs=result.configs,
        faults=result.faults,
        handovers=result.handovers,
        printed=result.log,
        failure=str(result.failure),
    )
    return dict(archive.plain(whole, text_of=str))


def as_json(document: dict[str, Any] | Sequence[dict[str, Any]]) -> str:
    """The text of a report, or of several. Half a character, as an odd file name may have it, is escaped: UTF-8 does
    not have it."""
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(document, indent=2, allow_nan=False)
    return text


class _Schema(GenerateJsonSchema):
    """A Text is a string in a report; it is the only value that pydantic does not know."""

    def function_plain_schema(self, schema: Any) -> dict[str, Any]:
        return {"type": "string"}


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a report. It allows further fields: later programs add some."""
    found = TypeAdapter(Report).json_schema(mode="serialization", schema_generator=_Schema)
    return {"$schema": _Schema.schema_dialect, **_tidied(found)}


def _tidied(node: Any) -> Any:
    """A node of the schema with every field required, since all are written, and without what Python alone needs."""
    if isinstance(node, list):
        return [_tidied(item) for item in node]
    if not isinstance(node, dict):
        return node
    if isinstance(node.get("properties"), dict):
        properties = {name: _tidied(each) for name, each in node["properties"].items()}
        rest = {name: _tidied(item) for name, item in node.items() if name not in ("properties", "required", "title")}
        return {**rest, "properties": properties, "required": list(properties)}
    return {name: _tidied(item) for name, item in node.items() if name not in ("title", "default")}


if __name__ == "__main__":
    print(json.dumps(schema(), indent=1))
