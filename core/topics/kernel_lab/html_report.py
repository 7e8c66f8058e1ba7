"""The report of a trace as one HTML page: no scripts, no network, readable on a phone and printable.

Whatever comes from the user's file (names, code, output) is escaped, and unsafe characters are spelled out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from string import Template

from core import language
from core.contracts.claims import Claim, Finding
from core.contracts.errors import TilescopeError
from core.contracts.text import Text, tr, tr_in, tr_plural
from core.files import reason_of, write_whole
from core.format import format_quantity
from core.installation import ROOT
from core.outside import shown_name
from core.topics.kernel_lab import wording
from core.topics.kernel_lab.html_configs import config_tables
from core.topics.kernel_lab.html_pieces import (
    cell,
    code_cell,
    note,
    number,
    safe,
    section,
    share_cell,
    shown,
    size,
    table,
    table_row,
)
from core.topics.kernel_lab.result import KernelLabResult, file_name
from core.trace.tables import LaunchRow, LineRow, SectorRow
from core.trace.totals import KernelTotal, LineTotal
from core.wording import backend

TEMPLATE = ROOT / "resources" / "reports" / "trace.html"
MOST_LAUNCHES = 200
"""Launches whose lines are on the page; the table of launches has all of them."""

_MOST_CODE = 400


def write_html(path: Path, result: KernelLabResult, findings: Sequence[tuple[Claim, Finding]]) -> None:
    """Write the page. Raises TilescopeError if it cannot be written."""
    try:
        write_whole(path, as_html(result, findings).encode())
    except OSError as error:
        raise TilescopeError(
            tr(
                "The report could not be written to {path} ({reason}): write it elsewhere.",
                path=str(path),
                reason=reason_of(error),
            )
        ) from error


def as_html(result: KernelLabResult, findings: Sequence[tuple[Claim, Finding]] = ()) -> str:
    """The page, in the current language."""
    environment = result.environment
    place = tr("Traced on {device}, {backend}", device=environment.device, backend=backend(environment))
    kind = wording.kind_of_trace(result)
    code = _Code(result)
    sections = [
        *(note(wording.fault(row), "fault" if row.severity == "fault" else "notice") for row in result.faults),
        *(note(message.text, "notice") for message in result.notices),
        section(tr("Kernels and their lines, the heaviest first"), _kernels(result.kernel_totals, code)),
        section(tr("Tensors, the heaviest first"), _tensors(result)),
        *config_tables(result.configs),
        section(tr("Launches"), _launches(result), *_each_launch(result, code)),
        section(tr("Claims"), _claims(findings)) if findings else "",
        section(tr("Output"), *(_printed(row.stream, row.text) for row in result.log)) if result.log else "",
    ]
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        language=language.current(),
        title=safe(_target(result)),
        place=safe(str(tr("{place}: {kind}", place=place, kind=kind) if kind else place)),
        tiles="\n".join(
            f"<div><dt>{safe(str(name))}</dt><dd>{safe(value)}</dd></div>" for name, value in _tiles(result)
        ),
        main="\n".join(sections),
        footer=safe(", ".join(f"{name} {version}" for name, version in environment.versions.items())),
    )


def _target(result: KernelLabResult) -> str:
    if result.trace_file:
        return result.trace_file
    return "::".join(part for part in (file_name(result.params.file), result.params.function) if part)


def _tiles(result: KernelLabResult) -> list[tuple[Text, str]]:
    return [
        (tr("launches"), f"{len(result.launches):,}"),
        (tr("kernels"), f"{len(result.kernel_totals):,}"),
        (tr("read"), size(sum(row.read_bytes for row in result.launches))),
        (tr("written"), size(sum(row.written_bytes for row in result.launches))),
        (tr("distinct, per launch"), size(sum(row.unique_bytes for row in result.launches))),
        (tr("faults"), f"{sum(row.severity == 'fault' for row in result.faults):,}"),
    ]


class _Code:
    """The code of source lines, as it was during the run."""

    def __init__(self, result: KernelLabResult) -> None:
        self._lines: Mapping[str, tuple[int, list[str]]] = {
            traced.file: (traced.first_line, traced.text.splitlines()) for traced in result.files
        }

    def of(self, file: str, line: int) -> str:
        first, lines = self._lines.get(file, (1, []))
        return lines[line - first].strip() if 0 <= line - first < len(lines) else ""


def _kernels(kernels: Sequence[KernelTotal], code: _Code) -> str:
    """One table: each kernel, and its lines below it."""

    def rows() -> Iterator[str]:
        for kernel in kernels:
            count = wording.times_launched(kernel.launches)
            place = shown(f"{file_name(kernel.file)}:{kernel.first_line}")
            name = f"{shown(kernel.function)} <small>{safe(str(count))}</small>"
            yield table_row([cell(name), cell(place, "code"), *_shares(kernel)], "kernel")
            for line in kernel.lines:
                where = str(line.line) if line.file == kernel.file else f"{file_name(line.file)}:{line.line}"
                access = f"{shown(where)} &nbsp;{line.kind} {shown(line.tensor)}"
                yield table_row([cell(access), code_cell(code.of(line.file, line.line)), *_shares(line)])

    titles = [tr("kernel, and its lines"), tr_in("column", "source"), tr("share"), tr("read"), tr("written")]
    titles += [tr("distinct"), tr("reuse"), tr("masked"), tr("sectors")]
    return table(titles, rows(), names=2)


def _shares(row: KernelTotal | LineTotal) -> list[str]:
    kind = row.kind if isinstance(row, LineTotal) else ""
    return [
        share_cell(row.share),
        number("" if kind == "store" else size(row.read_bytes)),
        number("" if kind == "load" else size(row.written_bytes)),
        number(size(row.unique_bytes)),
        number(format_quantity(row.reuse, "x")),
        number(f"{row.masked_share:.1%}"),
        number("" if row.sector_share is None else f"{row.sector_share:.1%}"),
    ]


def _tensors(result: KernelLabResult) -> str:
    rows = (
        table_row(
            [
                cell(shown(", ".join(row.names))),
                cell(shown(file_name(row.made_at)), "code"),
                cell(shown(f"{row.dtype} {row.shape}"), "code"),
                share_cell(row.share),
                *map(number, (size(row.read_bytes), size(row.written_bytes), size(row.size_bytes))),
                number(f"{row.launches:,}"),
            ]
        )
        for row in result.tensor_totals
    )
    titles = [tr("tensor"), tr("made at"), tr("type and shape"), tr("share"), tr("read"), tr("written"), tr("size")]
    return table([*titles, tr("launches")], rows, names=3)


def _launches(result: KernelLabResult) -> str:
    arguments: dict[int, list[str]] = {}
    for tensor in result.tensors:
        if tensor.argument:
            arguments.setdefault(tensor.launch, []).append(f"{tensor.tensor} = {tensor.argument}")
    rows = (
        table_row(
            [
                number(str(row.launch + 1)),
                cell(shown(row.function)),
                cell(safe(row.grid.replace(" x ", " × "))),
                code_cell(file_name(row.launched_at)),
                code_cell(", ".join(arguments.get(row.launch, []))),
                *map(number, (size(row.read_bytes), size(row.written_bytes), size(row.unique_bytes))),
            ]
        )
        for row in result.launches
    )
    titles = [tr_in("column", "number"), tr_in("column", "launch"), tr_in("column", "grid"), tr("launched at")]
    return table([*titles, tr("arguments"), tr("read"), tr("written"), tr("distinct")], rows, first=1, names=4)


def _each_launch(result: KernelLabResult, code: _Code) -> Iterator[str]:
    lines: dict[int, list[LineRow]] = {}
    for row in result.line_traffic:
        lines.setdefault(row.launch, []).append(row)
    shares = {_place(row): row.used_share for row in result.sectors}
    for launch in result.launches[:MOST_LAUNCHES]:
        yield _launch(launch, lines.get(launch.launch, []), shares, code)
    hidden = len(result.launches) - MOST_LAUNCHES
    if hidden > 0:
        yield note(
            tr_plural(
                "{count:,} more launch is only in the table above; --json has its lines.",
                "{count:,} more launches are only in the table above; --json has their lines.",
                count=hidden,
            ),
            "muted",
        )


def _launch(launch: LaunchRow, lines: Iterable[LineRow], shares: Mapping[_Place, float], code: _Code) -> str:
    rows = (
        table_row(
            [
                cell(f"{shown(f'{file_name(row.file)}:{row.line}')} &nbsp;{row.kind} {shown(row.tensor)}"),
                code_cell(code.of(row.file, row.line)),
                number(f"{row.accesses:,}"),
                number("" if row.kind == "store" else size(row.bytes)),
                number("" if row.kind == "load" else size(row.bytes)),
                number(size(row.unique_bytes)),
                number(format_quantity(row.reuse, "x")),
                number(f"{row.masked_share:.1%}"),
                number(f"{shares[_place(row)]:.1%}" if _place(row) in shares else ""),
            ]
        )
        for row in lines
    )
    config = f", {launch.config}" if launch.config else ""
    head = f"{launch.launch + 1}  {launch.function}: {wording.totals_of_launch(launch)}{config}"
    titles = [tr_in("column", "line"), tr_in("column", "source"), tr("accesses"), tr("read"), tr("written")]
    titles += [tr("distinct"), tr("reuse"), tr("masked"), tr("sectors")]
    return f"<details><summary>{safe(shown_name(head, _MOST_CODE))}</summary>{table(titles, rows, names=2)}</details>"


_Place = tuple[int, str, int, str, str]


def _place(row: LineRow | SectorRow) -> _Place:
    return row.launch, row.file, row.line, row.kind, row.tensor


def _claims(findings: Sequence[tuple[Claim, Finding]]) -> str:
    rows = (
        table_row(
            [
                cell(safe(str(claim.statement))),
                cell(safe(str(finding.verdict.label))),
                cell(safe(str(finding.evidence))),
            ]
        )
        for claim, finding in findings
    )
    return table([tr("claim"), tr("verdict"), tr("evidence")], rows, names=3)


def _printed(stream: str, text: str) -> str:
    shown = safe(text.rstrip())
    return f'<details><summary>{safe(stream)}</summary><div class="wide"><pre>{shown}</pre></div></details>'
