"""The experiment from parameters to result, on the real kernels executed by the TTIR interpreter."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from core.contracts.events import Partial, Progress
from core.contracts.result import Provenance
from core.topics.flash_attention import TOPIC
from core.topics.flash_attention.params import FlashAttentionParams
from core.topics.flash_attention.plan import plan
from core.topics.flash_attention.result import FlashAttentionResult
from core.topics.flash_attention.softmax import row_softmax
from core.trace.kernel_traffic import TensorTraffic, by_tensor
from core.trace.order import Order
from core.trace.traffic import traffic
from tests.questions.asked import asked_metrics
from tests.same_result import same

pytest.importorskip("triton")

CASES = {
    "causal": FlashAttentionParams(seq_len=256, heads=2, kv_heads=2, head_dim=32, block_q=32, block_kv=32),
    "ragged, grouped": FlashAttentionParams(
        seq_len=63, kv_len=130, batch=2, heads=4, kv_heads=2, head_dim=32, dtype="bf16", block_q=32, block_kv=64
    ),
    "no mask": FlashAttentionParams(
        seq_len=130, heads=1, kv_heads=1, head_dim=64, dtype="fp32", causal=False, block_q=64, block_kv=32
    ),
    "rows that see no key": FlashAttentionParams(
        seq_len=100, kv_len=40, heads=1, kv_heads=1, head_dim=32, block_q=16, block_kv=16
    ),
    "padded head, more queries": FlashAttentionParams(
        seq_len=70, kv_len=40, heads=2, kv_heads=1, head_dim=80, dtype="bf16", block_q=32, block_kv=16
    ),
    "one token": FlashAttentionParams(seq_len=1, heads=1, kv_heads=1, head_dim=32, block_q=16, block_kv=16),
}


@cache
def outcome(case: str) -> tuple[FlashAttentionResult, tuple[Progress | Partial, ...]]:
    steps, events = TOPIC.load_experiment()(CASES[case], "cpu"), []
    while True:
        try:
            events.append(next(steps))
        except StopIteration as finished:
            return finished.value, tuple(events)


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_that_a_live_run_is_the_whole_run_but_for_the_times() -> None:
    steps = TOPIC.load_live_experiment()(CASES["causal"], "cpu")
    while True:
        try:
            next(steps)
        except StopIteration as finished:
            live = finished.value
            break
    whole, _ = outcome("causal")
    assert whole.metrics.keys() - live.metrics.keys() == {name for name in whole.metrics if name.endswith(".time_ms")}
    assert [row.passed for row in live.comparison] == [row.passed for row in whole.comparison]
    assert all(row.time_ms is None for row in live.comparison)


def test_that_traced_bytes_equal_modelled_bytes_tensor_by_tensor(case: str) -> None:
    result, _ = outcome(case)
    traced = {(row.kernel, row.tensor): row for row in by_tensor(result.traffic)}
    for row in plan(CASES[case]).traffic:
        nothing = TensorTraffic(row.kernel, "", row.tensor, 0, 0, 0)
        assert traced.get((row.kernel, row.tensor), nothing) == row


def test_that_traced_bytes_of_both_passes_equal_the_modelled_ones(case: str) -> None:
    result, _ = outcome(case)
    for kernel in ("standard", "flash"):
        traced = result.metrics[f"{kernel}.training_hbm_bytes"]
        assert traced.provenance is Provenance.TRACED
        assert (
            traced.value == result.value(f"{kernel}.training_hbm_bytes_modelled") > result.value(f"{kernel}.hbm_bytes")
        )


def test_that_flash_moves_no_scores_and_standard_does(case: str) -> None:
    result, _ = outcome(case)
    assert result.value("flash.S_bytes") == result.value("flash.P_bytes") == 0
    params = CASES[case]
    element = {"fp32": 4, "fp16": 2, "bf16": 2}[params.dtype]
    scores = params.batch * params.heads * params.seq_len * params.key_len
    assert result.value("standard.S_bytes") == result.value("standard.P_bytes") == 2 * scores * element
    tensors = {row.tensor for row in result.traffic if row.kernel == "flash"}
    assert tensors == {"Q", "K", "V", "O", "LSE"}


def test_that_the_traced_schedule_is_the_planned_one(case: str) -> None:
    schedule = outcome(case)[0].schedule
    np.testing.assert_array_equal(schedule[:, 1:], plan(CASES[case]).schedule)
    np.testing.assert_array_equal(schedule[:, 0], np.arange(len(schedule)))


def test_that_the_kernels_own_softmax_states_follow_the_model(case: str) -> None:
    result, params = outcome(case)[0], CASES[case]
    maximum, total = result.softmax.maximum, result.softmax.total
    assert maximum.shape[0] == total.shape[0] == params.seq_len
    # In 16 bits the kernel rounds P before it multiplies V.
    tolerance = {"fp32": 1e-5, "fp16": 2e-3, "bf16": 2e-2}[params.dtype]
    for row in {0, params.seq_len // 2, params.seq_len - 1}:
        expected = row_softmax(params, row)
        visited = expected.maximum.size
        np.testing.assert_allclose(maximum[row, :visited], expected.maximum, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(total[row, :visited], expected.total, rtol=1e-4)
        assert np.isnan(maximum[row, visited:]).all()
        accumulator = result.softmax.accumulator[row, :visited]
        np.testing.assert_allclose(accumulator, expected.accumulator, rtol=tolerance, atol=10 * tolerance)


def test_that_outputs_pass_and_emulated_runs_have_no_times(case: str) -> None:
    rows = {row.impl: row for row in outcome(case)[0].comparison}
    assert len(rows) == 7
    for impl in ("triton-standard", "triton-flash"):
        assert rows[impl].runs_on == "emulated"
        assert rows[impl].passed
        assert rows[impl].time_ms is None
        assert rows[impl].time_ms_samples == ()
    assert rows["torch-naive"].runs_on == "cpu"
    assert rows["torch-naive"].time_ms > 0
    assert rows["sdpa-cudnn"].runs_on == "unavailable"
    assert rows["sdpa-cudnn"].reason


def test_that_every_time_of_this_machine_is_labelled_cpu(case: str) -> None:
    times = {name: m for name, m in outcome(case)[0].metrics.items() if name.endswith("time_ms")}
    assert times
    assert {m.provenance for m in times.values()} == {Provenance.MEASURED_CPU}
    assert not any(name.startswith("triton") for name in times)


def test_that_traces_hold_every_access(case: str) -> None:
    result, params = outcome(case)[0], CASES[case]
    assert list(result.traces) == ["standard", "flash"]
    for kernel, trace in result.traces.items():
        launches = trace.launches()
        order = Order(launches)
        counted = [traffic(launch) for launch in launches]
        assert sum(count.read_bytes + count.written_bytes for count in counted) == result.value(f"{kernel}.hbm_bytes")
        assert sum(line.accesses for line in result.lines if line.kernel == kernel) == order.accesses
        assert order.edges[0] == 0
        assert (np.diff(order.edges) >= 0).all()
        assert {launch.function for launch in launches} <= {source.function for source in result.sources}
        places = {(access.file, access.line) for launch in launches for access in launch.accesses}
        assert places <= {(line.file, line.line) for line in result.lines if line.kernel == kernel}
        names = {buffer.name for launch in launches for buffer in launch.buffers}
        assert names == {row.tensor for row in result.traffic if row.kernel == kernel}
    assert len(order.edges) == 1 + params.batch * params.heads * -(-params.seq_len // params.block_q)


def test_that_lines_and_sources_point_into_the_kernels(case: str) -> None:
    result, _ = outcome(case)
    sources = {row.function: row for row in result.sources}
    assert set(sources) == {"scores_fwd_kernel", "softmax_fwd_kernel", "output_fwd_kernel", "flash_fwd_kernel"}
    assert all(row.text and "tt.func" in row.ttir for row in sources.values())
    for row in result.lines:
        assert row.file.startswith("kernels/attention/")
        assert row.op in ("load", "store")
    by_kernel = {k: sum(r.bytes for r in result.lines if r.kernel == k) for k in ("standard", "flash")}
    assert by_kernel == {k: result.value(f"{k}.hbm_bytes") for k in by_kernel}


def test_that_progress_never_goes_back_and_a_partial_brings_the_traffic_early(case: str) -> None:
    result, events = outcome(case)
    done = [event.done / event.total for event in events if isinstance(event, Progress)]
    assert done == sorted(done)
    (early,) = [event for event in events if isinstance(event, Partial)]
    assert early.result.traffic == result.traffic
    assert early.result.traces.keys() == result.traces.keys()
    assert early.result.comparison == ()


def test_that_a_result_survives_its_archive(case: str) -> None:
    result, _ = outcome(case)
    again = FlashAttentionResult.from_bytes(result.to_bytes())
    assert same(again, result)
    assert all(trace.same_as(result.traces[kernel]) for kernel, trace in again.traces.items())


def test_that_claims_find_what_they_should_on_a_real_run() -> None:
    result, _ = outcome("causal")
    findings = {claim.id: claim.test(result) for claim in TOPIC.claims}
    assert not [claim.id for claim in TOPIC.claims if claim.is_surprised_by(findings[claim.id])]
    untested = {name for name, finding in findings.items() if finding.verdict == "not tested here"}
    assert untested == {"faster-on-a-gpu"}


def test_that_closing_the_generator_stops_the_work() -> None:
    steps = TOPIC.load_experiment()(CASES["causal"], "cpu")
    next(steps)
    steps.close()
    with pytest.raises(StopIteration):
        next(steps)


def test_that_a_run_has_the_metrics_that_questions_guess() -> None:
    assert asked_metrics("flash-attention") <= outcome("causal")[0].metrics.keys()
