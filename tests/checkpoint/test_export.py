"""Reports as text: what went wrong comes first, and names are no markup."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from core.checkpoint.export import exported
from core.checkpoint.report import SkippedTensor, TensorErrors
from core.contracts.result import Message
from core.contracts.text import verbatim

ABOUT = {"report": "quantization", "block size": 64}
ROW = TensorErrors(
    tensor="h.0.w", layer=0, kind="w", shape="64", dtype="F32", elements=64, bytes=256, nonfinite=0, std=0.02,
    absmax=0.1, kurtosis=3.0, max_over_sigma=3.0, format="nf4", snr_db=20.0, relative_rmse=0.1, max_abs_error=0.01,
    bits_per_parameter=4.5, quantized_bytes=36, signal_power=1.0, error_power=0.01,
)  # fmt: skip
MESSAGES = [
    Message("warning", verbatim("a.safetensors has changed. 3 tensors are missing from this report.")),
    Message("notice", verbatim("2 tensors hold no weights to measure.")),
]


def test_that_markdown_begins_with_the_messages() -> None:
    text = exported(".md", ABOUT, {"messages": MESSAGES, "tensors": [ROW]})
    title, first, second, about = text.split("\n\n")[:4]
    assert title == "# Quantization report"
    assert first == f"> **Warning:** {MESSAGES[0].text}"
    assert second == f"> **Notice:** {MESSAGES[1].text}"
    assert about.startswith("- report: quantization")
    assert ">" not in exported(".md", ABOUT, {"tensors": [ROW]})


def test_that_each_row_of_a_csv_holds_the_messages() -> None:
    def read(messages: list[Message], rows: list[TensorErrors]) -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO(exported(".csv", ABOUT, {"messages": messages, "tensors": rows}))))

    expected = " ".join(f"{message.severity}: {message.text}" for message in MESSAGES)
    assert [row["messages"] for row in read(MESSAGES, [ROW, ROW])] == [expected, expected]
    assert read([], [ROW])[0]["messages"] == ""
    (alone,) = read(MESSAGES, [])
    assert (alone["tensor"], alone["messages"]) == ("", expected), "messages are kept even if nothing was measured"
    assert read([], []) == []


def test_that_json_holds_the_messages() -> None:
    text = exported(".json", ABOUT, {"messages": MESSAGES, "tensors": [ROW]})
    assert json.loads(text)["messages"] == [
        {"severity": message.severity, "text": str(message.text)} for message in MESSAGES
    ]


NAMES = st.text(st.sampled_from("\\`*_[]()<>|~$#+-=!&;:/.a1 w\n\"'"), min_size=1).filter(str.strip)


@given(NAMES)
@example("[x](https://a.b)")
@example("`a`")
@example("__a__")
@example("1. a")
@example("10) a")
@example("# a")
@example("---")
@example("a\\|b")
@example("&lt;b&gt;")
@example("https://a.b")
def test_that_a_name_is_read_as_it_is_written(name: str) -> None:
    written = " ".join(name.split())
    tables = {
        "skipped": [SkippedTensor(name, "I64", "4", 32, verbatim("x"))],
        "tensors": [replace(ROW, tensor=name)],
        "messages": [Message("warning", verbatim(name))],
    }
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(exported(".md", {}, tables))
    inline = [token.children or [] for token in tokens if token.type == "inline"]
    read = ["".join(part.content for part in parts) for parts in inline]
    assert f"{written}: x" in read
    assert f"Warning: {written}" in read
    assert written in read, "the table of the worst tensors"
    kinds = {part.type for parts in inline for part in parts}
    assert kinds <= {"text", "text_special", "strong_open", "strong_close"}


@pytest.mark.parametrize("name", ["model.layers.0.self_attn.q_proj.weight", "a-b+c=d#e", "x:y (z)"])
def test_that_ordinary_names_are_not_escaped(name: str) -> None:
    assert f"- {name}: x" in exported(".md", {}, {"skipped": [SkippedTensor(name, "I64", "4", 32, verbatim("x"))]})
