"""Claims on what a quantized model still knows."""

from __future__ import annotations

from core.claims import Claim, Finding, Verdict
from core.result import Result, Row
from core.text import Text
from core.topics.quantization.claims.storage import QLORA

_PAPER = {"int4": 34.34, "fp4-e2m1": 31.07, "fp4-e3m0": 29.48, "nf4": 27.41}
_LABELS = {"int4": "INT4", "fp4-e2m1": "FP4 E2M1", "fp4-e3m0": "FP4 E3M0", "nf4": "NF4"}


def in_the_order_of_the_paper(result: Result) -> Finding:
    """Holds when every model measured has the paper's order; with a limit when NF4 is best and the rest is not."""
    models: dict[str, dict[str, Row]] = {}
    for row in result.tables.get("outputs", []):
        models.setdefault(row["model"], {})[row["format"]] = row
    models = {name: rows for name, rows in models.items() if all(format_ in rows for format_ in _PAPER)}
    if not models:
        return Finding(
            Verdict.NOT_TESTED,
            "This run did not measure a model with NF4, both FP4 and INT4: turn the effect on outputs on.",
        )
    orders = {name: sorted(_PAPER, key=lambda format_: -rows[format_]["loss"]) for name, rows in models.items()}
    evidence = "; ".join(_perplexities(name, models[name], orders[name]) for name in models)
    evidence = (
        f"Perplexity, worst first: {evidence} (measured (CPU)). The paper, on models of 125M to 13B parameters: "
        f"{_listed({format_: f'{value:.2f}' for format_, value in _PAPER.items()})}. A model of a million parameters "
        "cannot repeat that; it can show the direction."
    )
    if all(order == list(_PAPER) for order in orders.values()):
        return Finding(Verdict.HOLDS, evidence)
    best = all(order[-1] == "nf4" for order in orders.values())
    return Finding(Verdict.HOLDS_WITH_LIMIT if best else Verdict.DOES_NOT_HOLD, evidence)


def _perplexities(name: str, rows: dict[str, Row], order: list[str]) -> str:
    reference = rows[""]["perplexity"] if "" in rows else float("nan")
    found = {format_: f"{rows[format_]['perplexity']:.4f}" for format_ in order}
    return f"{name} {_listed(found)}, unquantized {reference:.4f}"


def _listed(found: dict[str, str]) -> str:
    return ", ".join(f"{_LABELS[format_]} {value}" for format_, value in found.items())


OUTPUT_CLAIMS = (
    Claim(
        id="perplexity-in-order",
        statement=Text(
            "Mean perplexity falls from INT4 (34.34) over FP4 E2M1 (31.07) and FP4 E3M0 (29.48) to NF4 with double "
            "quantization (27.41).",
            "平均困惑度依次下降：INT4 34.34、FP4-E2M1 31.07、FP4-E3M0 29.48、NF4 加双重量化 27.41。",
        ),
        source=f"{QLORA}, Table 2",
        test=in_the_order_of_the_paper,
        expected=Verdict.HOLDS_WITH_LIMIT,
    ),
)
