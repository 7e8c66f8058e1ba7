"""The report of a trace as JSON and as a page: they agree, and nothing from a user's file can break them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from core import language
from core.contracts.result import Environment, Message
from core.contracts.text import tr, verbatim
from core.format import format_quantity
from core.topics.kernel_lab import TOPIC, analysis
from core.topics.kernel_lab.html_report import MOST_LAUNCHES, as_html
from core.topics.kernel_lab.params import KernelLabParams
from core.topics.kernel_lab.report import as_json, report, schema
from core.topics.kernel_lab.result import ConfigRow, KernelLabResult, Printed, TracedFile
from core.topics.kernel_lab.wording import kind_of_trace
from core.trace.file import load, save
from tests.gui.pages.kernel_lab.lab_result import SOURCE, lab_launch, lab_result
from tests.json_schema import problems

SCHEMA = Path(__file__).resolve().parents[2] / "docs" / "trace-report.schema.json"
HOSTILE = "<script>alert(1)</script>\x1b[2J\u202e\ud800&\"'</td>" + "n" * 5_000


@pytest.fixture
def result(tmp_path: Path) -> KernelLabResult:
    path = tmp_path / "copy.py"
    path.write_text(SOURCE)
    return lab_result(path, launches=3)


def findings(result: KernelLabResult):
    return [(claim, claim.test(result)) for claim in TOPIC.claims]


def hostile(result: KernelLabResult) -> KernelLabResult:
    """The result with every text that a user's file can choose."""
    return replace(
        result,
        params=KernelLabParams(file=f"/tmp/{HOSTILE}".replace("\ud800", "")[:4096], function="main"),
        environment=Environment(HOSTILE, HOSTILE, {"triton": HOSTILE}),
        launches=tuple(
            replace(row, function=HOSTILE, file=HOSTILE, config=HOSTILE, launched_at=f"{HOSTILE}:3")
            for row in result.launches
        ),
        tensors=tuple(
            replace(row, tensor=HOSTILE, dtype=HOSTILE, argument=HOSTILE, made_at=f"{HOSTILE}:3")
            for row in result.tensors
        ),
        line_traffic=tuple(replace(row, function=HOSTILE, file=HOSTILE, tensor=HOSTILE) for row in result.line_traffic),
        sectors=(),
        faults=tuple(replace(row, tensor=HOSTILE, file=HOSTILE, sentence=verbatim(HOSTILE)) for row in result.faults),
        files=(TracedFile(HOSTILE, "\n".join([HOSTILE] * 20)),),
        log=(Printed("stdout", HOSTILE),),
        messages=(Message("warning", verbatim(HOSTILE)),),
    )


class Page(HTMLParser):
    """The cells and the elements of a page. Fails for an element that is not closed where it has to be."""

    VOID = ("meta", "link", "br", "img")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[str]] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self._open.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if {"td", "th"} & set(self._open):
            self.rows[-1][-1] += data


def test_that_the_schema_is_that_of_today() -> None:
    """After a change: `python -m core.topics.kernel_lab.report > docs/trace-report.schema.json`."""
    assert json.loads(SCHEMA.read_text()) == schema()


def test_that_a_report_fits_the_schema_and_a_broken_one_does_not(result: KernelLabResult) -> None:
    for each in (result, hostile(result), KernelLabResult(params=KernelLabParams())):
        text = as_json(report(each, findings(each)))
        assert text.encode()
        document = json.loads(text)
        assert problems(document, schema()) == []
    del document["totals"]["kernels"]
    document["launches"] = [{"launch": True}]
    found = problems(document, schema())
    assert "$.totals: kernels is missing" in found
    assert "$.launches[0].launch: bool is not integer" in found


@pytest.mark.parametrize(("skipped", "kind"), [(True, "addresses only"), (False, "full"), (None, None)])
def test_that_the_report_says_which_trace_was_taken(
    skipped: bool | None, kind: str | None, result: KernelLabResult
) -> None:
    taken = replace(result, launches=tuple(replace(row, addresses_only=skipped) for row in result.launches))
    assert report(taken, [])["trace"] == kind
    told = str(kind_of_trace(taken))
    assert told.startswith(kind or "")
    assert (told in as_html(taken)) is True


def test_that_a_full_trace_in_place_of_addresses_only_says_so(result: KernelLabResult) -> None:
    taken = replace(
        result,
        params=result.params.changed(addresses_only=True),
        launches=tuple(replace(row, addresses_only=False) for row in result.launches),
    )
    assert report(taken, [])["trace"] == "full"
    assert "full trace, because addresses only would have been wrong" in as_html(taken)


def test_that_the_page_shows_the_numbers_of_the_json(result: KernelLabResult) -> None:
    page, document = Page(as_html(result, findings(result))), report(result, findings(result))
    shown = {tuple(row) for row in page.rows}
    for kernel in document["totals"]["kernels"]:
        (row,) = (row for row in shown if row[0].startswith(kernel["function"]))
        assert row[2:7] == (
            f"{kernel['share']:.1%}",
            *(format_quantity(kernel[f"{name}_bytes"], "bytes") for name in ("read", "written", "unique")),
            format_quantity(kernel["reuse"], "x"),
        )
        for line in kernel["lines"]:
            (row,) = (row for row in shown if row[0] == f"{line['line']} \xa0{line['kind']} {line['tensor']}")
            assert row[5] == format_quantity(line["unique_bytes"], "bytes")
    for tensor in document["totals"]["tensors"]:
        assert any(row[0] == ", ".join(tensor["names"]) and row[7:] == (str(tensor["launches"]),) for row in shown)
    assert sum(row[0].isdigit() and len(row) == 8 for row in page.rows) == len(document["launches"])
    for claim in document["claims"]:
        assert any(row[0] == claim["statement"] and row[2] == claim["evidence"] for row in shown)


def test_that_the_page_needs_nothing_and_runs_nothing(result: KernelLabResult) -> None:
    text = as_html(result, findings(result))
    page = Page(text)
    assert not {"script", "link", "img", "iframe", "object", "form", "base"} & {tag for tag, _ in page.elements}
    assert not any(
        name.startswith("on") or name in ("src", "href") for _, attributes in page.elements for name in attributes
    )
    assert not re.search(r"url\(|@import|https?:", text)
    policies = [attributes["content"] for _, attributes in page.elements if attributes.get("http-equiv")]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'"]
    assert "@media (prefers-color-scheme: dark)" in text
    assert "@media print" in text
    assert any(attributes.get("name") == "viewport" for _, attributes in page.elements)


def test_that_what_comes_from_the_file_is_text(result: KernelLabResult) -> None:
    plain, text = as_html(result, findings(result)), as_html(hostile(result), findings(result))
    assert {tag for tag, _ in Page(text).elements} <= {tag for tag, _ in Page(plain).elements} | {
        "details",
        "pre",
        "summary",
    }
    assert "<script" not in text
    assert not set("\x1b\u202e\ud800") & set(text)
    text.encode()
    assert max(map(len, Page(text).rows[-1])) < 6_000


def test_that_a_terminal_is_not_written_over(result: KernelLabResult, capsys: pytest.CaptureFixture[str]) -> None:
    from core.commands.trace_tables import LEAST_WIDTH, print_report

    print_report(hostile(result), with_launches=True)
    printed = capsys.readouterr()
    assert not set("\x1b\u202e\ud800") & set(printed.out + printed.err)
    tables = [line for line in printed.out.splitlines() if "%" in line or "B" in line]
    assert len(tables) > 10
    assert max(map(len, printed.out.splitlines())) <= LEAST_WIDTH


@pytest.mark.parametrize("columns", [80, 100, 160])
def test_that_the_tables_fit_the_terminal_and_numbers_are_whole(
    columns: int, result: KernelLabResult, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.commands.trace_tables import print_report

    monkeypatch.setenv("COLUMNS", str(columns))
    for code in ("en", "zh"):
        with language.using(code):
            print_report(result)
        lines = capsys.readouterr().out.splitlines()
        (load,) = (line for line in lines if line.lstrip().startswith("8  load x_ptr"))
        assert load.split()[-1 - (columns >= 110)] == "1×"
        assert ("x = tl.load(x_ptr" in load) == (columns >= 100)


def test_that_the_page_compares_all_configurations_that_were_tried(result: KernelLabResult) -> None:
    tried = ConfigRow("copy_kernel", 1, "BLOCK=32", True, True, 1000, 2000, 3000, 0, 8, 0, 0.0)
    refused = ConfigRow("copy_kernel", 2, "BLOCK=<7>", False, False, problem=tr("no power of two"))
    text = as_html(replace(result, configs=(tried, refused)))
    section = text.partition("<h2>Configurations of copy_kernel")[2].partition("</section>")[0]
    assert [section.count(each) for each in ("BLOCK=32", "1.00 kB", "2.00 kB", "3.00 kB")] == [1, 1, 1, 1]
    assert "BLOCK=&lt;7&gt; <small>no power of two</small>" in section
    assert "Configurations of" not in as_html(replace(result, configs=(replace(tried, kept=None),)))


def test_that_a_page_of_many_launches_stays_small(result: KernelLabResult) -> None:
    many = replace(result, launches=tuple(replace(result.launches[0], launch=i) for i in range(MOST_LAUNCHES + 7)))
    text = as_html(many)
    assert text.count("<summary>") == MOST_LAUNCHES
    assert "7 more launches are only in the table above" in text


def test_that_a_trace_file_keeps_names_and_the_kind_of_trace(tmp_path: Path) -> None:
    launch = lab_launch(str(tmp_path / "copy.py"))
    named = replace(
        launch,
        launched_at="copy.py:13",
        addresses_only=True,
        buffers=tuple(
            replace(buffer, argument=f"t[{i}]", made_at="copy.py:2", storage=i)
            for i, buffer in enumerate(launch.buffers)
        ),
    )
    save(tmp_path / "t.npz", [named, launch])
    read, without = load(tmp_path / "t.npz")
    assert (read.buffers, read.launched_at, read.addresses_only) == (named.buffers, "copy.py:13", True)
    assert (without.buffers, without.launched_at, without.addresses_only) == (launch.buffers, "", None)
    opened = analysis.opened(tmp_path / "t.npz", KernelLabParams())
    assert [row.argument for row in opened.tensors] == ["t[0]", "t[1]", "", ""]
    assert problems(json.loads(json.dumps(report(opened, findings(opened)))), schema()) == []
    assert opened.addresses_only is None, "the launches differ"


def test_that_texts_of_the_report_are_in_the_language_of_the_interface(result: KernelLabResult) -> None:
    spoken = replace(result, messages=(Message("notice", tr("full trace")),))
    with language.using("zh"):
        document, page = report(spoken, findings(spoken)), as_html(spoken)
    assert document["messages"] == [{"severity": "notice", "text": "完整追踪"}]
    assert document["trace"] is None or document["trace"] in ("full", "addresses only")
    assert '<html lang="zh">' in page
    assert "按流量从大到小" in page
