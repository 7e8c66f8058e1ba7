"""The report of a trace as one HTML page: no scripts, no network, readable on a phone and printable.

Whatever comes from the user's file (names, code, output) is escaped, and unsafe characters are spelled out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template

from core import language
from core.contracts.claims import Claim, Finding
from core.contracts.errors import TilescopeError
from core.contracts.text import Text, tr, tr_in, tr_plural
from core.files import reason_of, write_whole
from core.format import format_quantity
from core.installation import ROOT
from core.outside import cleaned, shown_name
from core.topics.kernel_lab import wording
from core.topics.kernel_lab.result import KernelLabResult, file_name
from core.trace.tables import LaunchRow, LineRow, SectorRow
from core.trace.totals import KernelTotal, LineTotal
from core.wording import backend

TEMPLATE = ROOT / "resources" / "reports" / "trace.html"
MOST_LAUNCHES = 200
"""Launches whose lines are on the page; the table of launches has all of them."""

_MOST_NAME, _MOST_CODE = 200, 400


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
        *(_note(wording.fault(row), "fault" if row.severity == "fault" else "notice") for row in result.faults),
        *(_note(message.text, "notice") for message in result.messages),
        _section(tr("Kernels and their lines, the heaviest first"), _kernels(result.kernel_totals, code)),
        _section(tr("Tensors, the heaviest first"), _tensors(result)),
        _section(tr("Launches"), _launches(result), *_each_launch(result, code)),
        _section(tr("Claims"), _claims(findings)) if findings else "",
        _section(tr("Output"), *(_printed(row.stream, row.text) for row in result.log)) if result.log else "",
    ]
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        language=language.current(),
        title=_safe(_target(result)),
        place=_safe(str(tr("{place}: {kind}", place=place, kind=kind) if kind else place)),
        tiles="\n".join(
            f"<div><dt>{_safe(str(name))}</dt><dd>{_safe(value)}</dd></div>" for name, value in _tiles(result)
        ),
        main="\n".join(sections),
        footer=_safe(", ".join(f"{name} {version}" for name, version in environment.versions.items())),
    )


def _target(result: KernelLabResult) -> str:
    if result.trace_file:
        return result.trace_file
    return "::".join(part for part in (file_name(result.params.file), result.params.function) if part)


def _tiles(result: KernelLabResult) -> list[tuple[Text, str]]:
    return [
        (tr("launches"), f"{len(result.launches):,}"),
        (tr("kernels"), f"{len(result.kernel_totals):,}"),
        (tr("read"), _bytes(sum(row.read_bytes for row in result.launches))),
        (tr("written"), _bytes(sum(row.written_bytes for row in result.launches))),
        (tr("distinct, per launch"), _bytes(sum(row.unique_bytes for row in result.launches))),
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
            place = _name(f"{file_name(kernel.file)}:{kernel.first_line}")
            name = f"{_name(kernel.function)} <small>{_safe(str(count))}</small>"
            yield _row([_cell(name), _cell(place, "code"), *_shares(kernel)], "kernel")
            for line in kernel.lines:
                where = str(line.line) if line.file == kernel.file else f"{file_name(line.file)}:{line.line}"
                access = f"{_name(where)} &nbsp;{line.kind} {_name(line.tensor)}"
                yield _row([_cell(access), _code_cell(code.of(line.file, line.line)), *_shares(line)])

    titles = [tr("kernel, and its lines"), tr_in("column", "source"), tr("share"), tr("read"), tr("written")]
    titles += [tr("distinct"), tr("reuse"), tr("masked"), tr("sectors")]
    return _table(titles, rows(), names=2)


def _shares(row: KernelTotal | LineTotal) -> list[str]:
    kind = row.kind if isinstance(row, LineTotal) else ""
    return [
        _share(row.share),
        _number("" if kind == "store" else _bytes(row.read_bytes)),
        _number("" if kind == "load" else _bytes(row.written_bytes)),
        _number(_bytes(row.unique_bytes)),
        _number(format_quantity(row.reuse, "x")),
        _number(f"{row.masked_share:.1%}"),
        _number("" if row.sector_share is None else f"{row.sector_share:.1%}"),
    ]


def _tensors(result: KernelLabResult) -> str:
    rows = (
        _row(
            [
                _cell(_name(", ".join(row.names))),
                _cell(_name(file_name(row.made_at)), "code"),
                _cell(_name(f"{row.dtype} {row.shape}"), "code"),
                _share(row.share),
                *map(_number, (_bytes(row.read_bytes), _bytes(row.written_bytes), _bytes(row.size_bytes))),
                _number(f"{row.launches:,}"),
            ]
        )
        for row in result.tensor_totals
    )
    titles = [tr("tensor"), tr("made at"), tr("type and shape"), tr("share"), tr("read"), tr("written"), tr("size")]
    return _table([*titles, tr("launches")], rows, names=3)


def _launches(result: KernelLabResult) -> str:
    arguments: dict[int, list[str]] = {}
    for tensor in result.tensors:
        if tensor.argument:
            arguments.setdefault(tensor.launch, []).append(f"{tensor.tensor} = {tensor.argument}")
    rows = (
        _row(
            [
                _number(str(row.launch + 1)),
                _cell(_name(row.function)),
                _cell(_safe(row.grid.replace(" x ", " × "))),
                _code_cell(file_name(row.launched_at)),
                _code_cell(", ".join(arguments.get(row.launch, []))),
                *map(_number, (_bytes(row.read_bytes), _bytes(row.written_bytes), _bytes(row.unique_bytes))),
            ]
        )
        for row in result.launches
    )
    titles = [tr_in("column", "number"), tr_in("column", "launch"), tr_in("column", "grid"), tr("launched at")]
    return _table([*titles, tr("arguments"), tr("read"), tr("written"), tr("distinct")], rows, first=1, names=4)


def _each_launch(result: KernelLabResult, code: _Code) -> Iterator[str]:
    lines: dict[int, list[LineRow]] = {}
    for row in result.line_traffic:
        lines.setdefault(row.launch, []).append(row)
    shares = {_place(row): row.used_share for row in result.sectors}
    for launch in result.launches[:MOST_LAUNCHES]:
        yield _launch(launch, lines.get(launch.launch, []), shares, code)
    hidden = len(result.launches) - MOST_LAUNCHES
    if hidden > 0:
        yield _note(
            tr_plural(
                "{count:,} more launch is only in the table above; --json has its lines.",
                "{count:,} more launches are only in the table above; --json has their lines.",
                count=hidden,
            ),
            "muted",
        )


def _launch(launch: LaunchRow, lines: Iterable[LineRow], shares: Mapping[_Place, float], code: _Code) -> str:
    rows = (
        _row(
            [
                _cell(f"{_name(f'{file_name(row.file)}:{row.line}')} &nbsp;{row.kind} {_name(row.tensor)}"),
                _code_cell(code.of(row.file, row.line)),
                _number(f"{row.accesses:,}"),
                _number("" if row.kind == "store" else _bytes(row.bytes)),
                _number("" if row.kind == "load" else _bytes(row.bytes)),
                _number(_bytes(row.unique_bytes)),
                _number(format_quantity(row.reuse, "x")),
                _number(f"{row.masked_share:.1%}"),
                _number(f"{shares[_place(row)]:.1%}" if _place(row) in shares else ""),
            ]
        )
        for row in lines
    )
    config = f", {launch.config}" if launch.config else ""
    head = f"{launch.launch + 1}  {launch.function}: {wording.totals_of_launch(launch)}{config}"
    titles = [tr_in("column", "line"), tr_in("column", "source"), tr("accesses"), tr("read"), tr("written")]
    titles += [tr("distinct"), tr("reuse"), tr("masked"), tr("sectors")]
    return f"<details><summary>{_safe(shown_name(head, _MOST_CODE))}</summary>{_table(titles, rows, names=2)}</details>"


_Place = tuple[int, str, int, str, str]


def _place(row: LineRow | SectorRow) -> _Place:
    return row.launch, row.file, row.line, row.kind, row.tensor


def _claims(findings: Sequence[tuple[Claim, Finding]]) -> str:
    rows = (
        _row(
            [
                _cell(_safe(str(claim.statement))),
                _cell(_safe(str(finding.verdict.label))),
                _cell(_safe(str(finding.evidence))),
            ]
        )
        for claim, finding in findings
    )
    return _table([tr("claim"), tr("verdict"), tr("evidence")], rows, names=3)


def _printed(stream: str, text: str) -> str:
    shown = _safe(text.rstrip())
    return f'<details><summary>{_safe(stream)}</summary><div class="wide"><pre>{shown}</pre></div></details>'


# Pieces of HTML


def _section(title: Text, *parts: str) -> str:
    return f"<section>\n<h2>{_safe(str(title))}</h2>\n" + "\n".join(parts) + "\n</section>"


def _table(titles: Sequence[Text], rows: Iterable[str], *, first: int = 0, names: int = 1) -> str:
    """A table that scrolls sideways where it is wider than the screen; the columns from `first` on hold names."""
    named = range(first, first + names)
    heads = "".join(_head(str(title), "name" if index in named else "") for index, title in enumerate(titles))
    head, body = f"<thead><tr>{heads}</tr></thead>", "\n".join(rows)
    return f'<div class="wide" tabindex="0"><table>\n{head}\n<tbody>\n{body}\n</tbody></table></div>'


def _head(title: str, kind: str) -> str:
    return f'<th scope="col"{_class(kind)}>{_safe(title)}</th>'


def _row(cells: Iterable[str], kind: str = "") -> str:
    return f"<tr{_class(kind)}>{''.join(cells)}</tr>"


def _class(kind: str) -> str:
    return f' class="{kind}"' if kind else ""


def _cell(content: str, kind: str = "") -> str:
    """A cell of text; `content` is escaped already."""
    return f"<td{_class(' '.join(filter(None, ('name', kind))))}>{content}</td>"


def _code_cell(code: str) -> str:
    return f'<td class="code">{_safe(shown_name(code, _MOST_CODE))}</td>'


def _number(text: str) -> str:
    return f"<td>{_safe(text)}</td>"


def _share(share: float) -> str:
    return f'<td class="share" style="--share: {share:.1%}">{share:.1%}</td>'


def _note(text: Text, kind: str) -> str:
    return f'<p class="{kind}">{_safe(str(text))}</p>'


def _name(text: str) -> str:
    return _safe(shown_name(text, _MOST_NAME))


def _safe(text: str) -> str:
    return escape(cleaned(text))


def _bytes(count: float) -> str:
    return format_quantity(count, "bytes")
