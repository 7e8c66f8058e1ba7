"""How long it takes to count, classify and draw masks of 8,192 x 8,192, and to plan the page. Targets: 50 ms each."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from rich.console import Console
from rich.table import Table

from core.masks import Layout, Side, ids_from_lengths, parse, rasterise, row_counts, tile_classes
from core.topics.masks.params import MasksParams
from core.topics.masks.plan import plan

LENGTH = 8192
TARGET_MS = 50.0
MASKS = (
    "causal",
    "causal & window(1024)",
    "causal & documents",
    "causal & (window(1024) | prefix(4)) & ~padding",
    "turns & documents | ~(causal & window(63)) & prefix(1000)",
)


def layout() -> Layout:
    """Pads at the end, documents from short to long, turns of 100."""
    side = Side.of(
        LENGTH,
        real=7000,
        documents=ids_from_lengths(list(range(1, 1000, 17)), LENGTH),
        turns=ids_from_lengths([100] * 80, LENGTH),
    )
    return Layout.self_attention(side)


def times_ms(work: Callable[[], object], repeats: int = 30) -> np.ndarray:
    """Milliseconds of each repeat [repeats], after one that is not counted."""
    work()
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        times.append((time.perf_counter() - started) * 1e3)
    return np.array(times)


def main() -> None:
    table = Table("mask of 8,192 x 8,192", "work", "median ms", "p95 ms", "target ms")
    where, whole = layout(), (0, LENGTH)

    def add(name: str, work_name: str, work: Callable[[], object]) -> None:
        median, p95 = np.percentile(times_ms(work), [50, 95])
        table.add_row(name, work_name, f"{median:.1f}", f"{p95:.1f}", f"{TARGET_MS:g}")

    for text in MASKS:
        mask = parse(text)
        add(text, "tiles of 128 x 128", lambda mask=mask: tile_classes(mask, where, 128, 128))  # type: ignore[misc]
        add(text, "visible keys per row", lambda mask=mask: row_counts(mask, where))  # type: ignore[misc]
        add(text, "picture, 900 x 900", lambda mask=mask: rasterise(mask, where, whole, whole, 900, 900))  # type: ignore[misc]
    scattered = Layout.self_attention(Side.of(LENGTH, real=np.arange(LENGTH) % 2 == 0))
    hiding = parse("causal & ~padding")
    add("causal & ~padding, every other a pad", "tiles", lambda: tile_classes(hiding, scattered, 128, 128))
    base = MasksParams(seq_len=LENGTH, block_q=128, block_kv=128)
    lengths = iter(range(4000, LENGTH))
    add("causal", "plan of the page, length moved", lambda: plan(base.changed(seq_len=next(lengths))))
    typed = iter(f"{'ab ' * 3000}{n}" for n in range(100))
    add("causal", "plan of the page, 9,000 characters typed", lambda: plan(base.changed(query_text=next(typed))))
    Console().print(table)


if __name__ == "__main__":
    main()
