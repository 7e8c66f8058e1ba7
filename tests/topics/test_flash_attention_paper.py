"""The paper's Figure 2 rebuilt from formulas, and its deviation."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.topics.flash_attention.paper import PUBLISHED, paper_model, product_gflop


@pytest.mark.parametrize("kernel", ["standard", "flash"])
@pytest.mark.parametrize(("quantity", "tolerance_percent"), [("FLOP", 0.1), ("HBM", 0.5)])
def test_that_modelled_figures_come_within_the_stated_deviation(
    kernel: str, quantity: str, tolerance_percent: float
) -> None:
    figure = paper_model().figure(kernel, quantity)
    assert figure.published == PUBLISHED[kernel, quantity]
    assert abs(figure.deviation_percent) < tolerance_percent


def test_that_figures_are_the_sum_of_their_terms() -> None:
    model = paper_model()
    for kernel in ("standard", "flash"):
        for quantity in ("FLOP", "HBM"):
            terms = [t for t in model.terms if (t.kernel, t.quantity) == (kernel, quantity)]
            assert model.figure(kernel, quantity).modelled == pytest.approx(sum(t.amount for t in terms) / 1e9)


def test_that_standard_attention_makes_18_passes_over_the_scores() -> None:
    terms = [t for t in paper_model().terms if (t.kernel, t.quantity) == ("standard", "HBM")]
    assert (
        sum(t.count for t in terms if t.of == "N² scores (fp16)")
        + 0.5 * sum(t.count for t in terms if t.of == "N² mask bytes")
        == 18
    )


def test_that_products_are_12_and_14_n2d_a_head() -> None:
    n2d = 1024**2 * 64 * 16 * 64 / 1e9
    assert product_gflop("standard") == pytest.approx(12 * n2d)
    assert product_gflop("flash") == pytest.approx(14 * n2d)


def test_that_published_times_respect_the_roofline() -> None:
    for kernel in ("standard", "flash"):
        figure = paper_model().figure(kernel, "time")
        assert figure.modelled < figure.published


def test_that_every_alternative_states_its_assumption_and_deviates_more() -> None:
    model = paper_model()
    for other in model.alternatives:
        assert other.assumptions
        assert not other.headline
        assert abs(other.deviation_percent) > abs(model.figure(other.kernel, other.quantity).deviation_percent)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_that_the_notes_quote_the_model(language: str) -> None:
    root = Path(__file__).resolve().parents[2]
    notes = (root / f"resources/notes/{language}/flash-attention.md").read_text(encoding="utf-8")
    model = paper_model()
    for kernel, quantity in (("standard", "HBM"), ("flash", "HBM"), ("standard", "FLOP"), ("flash", "FLOP")):
        figure = model.figure(kernel, quantity)
        assert f"| {figure.modelled:.2f}" in notes
        assert f"| {figure.deviation_percent:+.1f}% |".replace("-", "−") in notes
    for other in model.alternatives:
        digits = ".0f" if other.quantity == "FLOP" else ".1f"
        quoted = f"{other.modelled:{digits}}" in notes or f"{other.modelled:.2f}" in notes
        assert quoted, other
        if other.quantity == "HBM":
            assert f"{other.deviation_percent:+.0f}%".replace("-", "−") in notes, other
