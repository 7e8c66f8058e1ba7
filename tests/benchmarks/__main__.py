"""Every benchmark that this machine can run: python -m tests.benchmarks [NAME ...]."""

from __future__ import annotations

import importlib
import sys

from rich.console import Console

BENCHMARKS = {
    "startup": "tests.benchmarks.bench_startup",
    "live": "tests.benchmarks.bench_live",
    "responsiveness": "tests.benchmarks.bench_responsiveness",
    "language": "tests.benchmarks.bench_language",
    "tracing": "tests.benchmarks.bench_tracing",
    "trace-view": "tests.benchmarks.bench_trace_view",
    "traces": "tests.benchmarks.bench_traces",
    "checkpoint": "tests.benchmarks.bench_checkpoint",
    "masks": "tests.benchmarks.bench_masks",
    "chat": "tests.benchmarks.bench_chat",
    "attention-heads": "tests.benchmarks.bench_attention_heads",
    "lora-page": "tests.benchmarks.bench_lora_page",
    "doctor": "tests.benchmarks.bench_doctor",
    "dialogue": "tests.benchmarks.bench_dialogue",
    "page-runs": "tests.benchmarks.bench_page_runs",
    "loss": "tests.benchmarks.bench_loss",
    "questions": "tests.benchmarks.bench_questions",
}


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        print(f"There is no benchmark {unknown[0]!r}: the benchmarks are {', '.join(BENCHMARKS)}.", file=sys.stderr)
        return 2
    console = Console()
    for name in names or BENCHMARKS:
        console.rule(name)
        importlib.import_module(BENCHMARKS[name]).main()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
