"""Reports as text: what went wrong comes first, and names are no markup."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from core.checkpoint.export import exported

ABOUT = {"report": "quantization", "block size": 64}
ROW = {
    "tensor": "h.0.w", "layer": 0, "shape": "64", "format": "nf4", "snr_db": 20.0, "relative_rmse": 0.1,
    "max_abs_error": 0.01, "bits_per_parameter": 4.5, "quantized_bytes": 36, "max_over_sigma": 3.0,
}  # fmt: skip
TOLD = [
    {"severity": "warning", "text": "a.safetensors has changed. 3 tensors are missing from this report."},
    {"severity": "notice", "text": "2 tensors hold no weights to measure."},
]


def test_that_markdown_begins_with_the_messages() -> None:
    text = exported(".md", ABOUT, {"messages": TOLD, "tensors": [ROW]})
    title, first, second, about = text.split("\n\n")[:4]
    assert title == "# Quantization report"
    assert first == f"> **Warning:** {TOLD[0]['text']}"
    assert second == f"> **Notice:** {TOLD[1]['text']}"
    assert about.startswith("- report: quantization")
    assert ">" not in exported(".md", ABOUT, {"tensors": [ROW]})


def test_that_each_row_of_a_csv_holds_the_messages() -> None:
    def read(messages: list[dict[str, str]], rows: list[dict[str, object]]) -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO(exported(".csv", ABOUT, {"messages": messages, "tensors": rows}))))

    sentences = " ".join(f"{row['severity']}: {row['text']}" for row in TOLD)
    assert [row["messages"] for row in read(TOLD, [ROW, ROW])] == [sentences, sentences]
    assert read([], [ROW])[0]["messages"] == ""
    (alone,) = read(TOLD, [])
    assert (alone["tensor"], alone["messages"]) == ("", sentences), (
        "what stopped it before the first tensor is told too"
    )
    assert read([], []) == []


def test_that_json_holds_the_messages() -> None:
    assert json.loads(exported(".json", ABOUT, {"messages": TOLD, "tensors": [ROW]}))["messages"] == TOLD


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
    tables = {"skipped": [{"tensor": name, "why": "x"}], "tensors": [{**ROW, "tensor": name}], "messages": [
        {"severity": "warning", "text": name}]}  # fmt: skip
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
    assert f"- {name}: x" in exported(".md", {}, {"skipped": [{"tensor": name, "why": "x"}]})
