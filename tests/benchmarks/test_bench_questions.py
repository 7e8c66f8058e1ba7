from __future__ import annotations

from pathlib import Path

from core.contracts import registry
from core.durations import recorded_runs
from core.hardware.host import cpu_name
from core.questions.check_all import PlannedRun
from tests.benchmarks.bench_questions import record


def test_that_recorded_durations_are_read_back_with_the_machine_even_if_a_run_took_a_hundredth_of_a_second(
    tmp_path: Path,
) -> None:
    masks, flash = registry.topic("masks").params, registry.topic("flash-attention").params
    runs = [
        (PlannedRun("masks", masks.parse({"preset": "bert-padding"}), ("a",), False), 0.01234),
        (PlannedRun("flash-attention", flash.parse({"causal": False, "seq_len": 64}), ("b",), False), 209.74),
        (PlannedRun("flash-attention", flash.parse({}), ("c",), False), 6.0),
    ]
    record(runs, tmp_path / "recorded" / "durations.toml")
    recorded = recorded_runs(tmp_path / "recorded" / "durations.toml")
    assert [(run.page, run.set, run.seconds) for run in recorded.runs] == [
        ("masks", {"preset": "bert-padding"}, 0.0123),
        ("flash-attention", {"causal": False, "seq_len": 64}, 210.0),
        ("flash-attention", {}, 6.0),
    ]
    assert cpu_name() in recorded.machine
    assert recorded.date
