"""How quickly the page attention-heads follows its sliders, and what its plan takes. Targets: 50 ms at p95."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from tests.benchmarks.bench_masks import times_ms
from tests.benchmarks.bench_responsiveness import edits_to_redrawn_ms
from tests.benchmarks.window import benchmark_window

TARGET_MS = 50.0
MOVES = 100
MODELS = ("llama-3.1-8b", "llama-3.1-405b", "deepseek-v3", "gemma-3-27b", "jamba-1.5-mini")
"""32 to 128 heads; MLA; sliding layers; a hybrid."""


def kv_heads(page: Any) -> Iterator[Callable[[], None]]:
    """The slider of the page, from all KV heads to one and back."""
    slider = page.control.slider
    stops = [*range(slider.minimum(), slider.maximum() + 1), *range(slider.maximum() - 1, slider.minimum(), -1)]
    for number in range(MOVES):
        place = stops[number % len(stops)]
        if place != slider.value():
            yield lambda place=place: slider.setValue(place)


def contexts(page: Any) -> Iterator[Callable[[], None]]:
    """The slider of the context in the form, over its whole range."""
    slider = page.form.fields["context"].slider
    for place in np.random.default_rng(0).integers(slider.minimum(), slider.maximum() + 1, MOVES).tolist():
        if place != slider.value():
            yield lambda place=place: slider.setValue(place)


def main() -> None:
    from core.topics.attention_heads.params import AttentionHeadsParams
    from core.topics.attention_heads.plan import plan

    table = Table("model", "work", "median ms", "p95 ms", "max ms", "target ms")

    def add(model: str, work: str, times: np.ndarray) -> None:
        median, p95 = np.percentile(times, [50, 95])
        table.add_row(model, work, f"{median:.1f}", f"{p95:.1f}", f"{times.max():.1f}", f"{TARGET_MS:g}")

    with benchmark_window() as (window, _):
        opened = window.open_page("attention-heads")
        assert opened is not None
        for model in MODELS:
            params = AttentionHeadsParams(model=model, attention="gqa", batch=8)
            tokens = iter(range(4096, 8192))
            add(model, "plan", times_ms(lambda base=params, tokens=tokens: plan(base.changed(context=next(tokens)))))  # type: ignore[misc]
            opened.page.form.set_params(params)
            opened.controller.show_plan()
            for work, moves in (("KV heads to redrawn page", kv_heads), ("context to redrawn page", contexts)):
                add(model, work, edits_to_redrawn_ms(window, opened.page, moves(opened.page)))
    Console().print(table)


if __name__ == "__main__":
    main()
