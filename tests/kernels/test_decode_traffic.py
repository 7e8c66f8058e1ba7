"""What the decode kernels read and write, from traces, against the closed form."""

from collections import Counter

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernels.attention.decode import DecodeImpl, DecodeOutput
from kernels.attention.decode_traffic import DecodeCall, decode_traffic
from tests.kernels.conftest import INTERPRETED
from tests.kernels.decode_cases import FP8, DecodeCase, DecodeProblem

pytest.importorskip("triton", reason="Triton is not installed here")
pytestmark = pytest.mark.skipif(INTERPRETED, reason="interpreted kernels are not traced")

if not INTERPRETED:
    from core.interpreter import Launch, intercept
    from core.trace.traffic import traffic

ARGUMENTS = {
    "q": ("q_ptr",),
    "k": ("k_ptr",),
    "v": ("v_ptr",),
    "block_table": ("table_ptr",),
    "small": ("lengths_ptr", "k_scale_ptr", "v_scale_ptr", "sink_ptr"),
    "parts": ("part_ptr", "part_lse_ptr"),
}


def traced(problem: DecodeProblem, **options: object) -> tuple[DecodeOutput, list["Launch"]]:
    with intercept(addresses_only=True) as tracer:
        output = problem.call(DecodeImpl.TRITON, **options)
    return output, list(tracer.launches)


def call_of(problem: DecodeProblem, output: DecodeOutput) -> DecodeCall:
    case, options = problem.case, problem.options
    assert output.tiling is not None
    assert output.splits is not None
    sinks = options.get("sink_logits")
    return DecodeCall(
        lengths=case.all_lengths, heads=case.heads, kv_heads=case.kv_heads, key_dim=case.key_dim,
        value_dim=case.value_dim or case.key_dim, q_bytes=problem.q.element_size(),
        kv_bytes=problem.caches[0].element_size(), splits=output.splits,
        row_tiles=output.tiling.row_tiles(case.group * case.query_len), block_kv=output.tiling.block_kv,
        query_len=case.query_len, v_in_k=case.latent, page_size=case.page_size, window=options.get("window"),
        sink_tokens=options.get("sink_tokens", 0), sink_logit_bytes=0 if sinks is None else sinks.element_size(),
        scales=sum(name in options for name in ("k_scale", "v_scale")), has_lengths="lengths" in options,
    )  # fmt: skip


def assert_equal_to_the_closed_form(problem: DecodeProblem, output: DecodeOutput, launches: list["Launch"]) -> None:
    read, written = Counter[str](), Counter[str]()
    for launch in launches:
        for buffer in traffic(launch).buffers:
            read[buffer.buffer] += buffer.read_bytes
            written[f"{launch.function}.{buffer.buffer}"] += buffer.written_bytes
    expected = decode_traffic(call_of(problem, output))
    for name, arguments in ARGUMENTS.items():
        assert sum(read[argument] for argument in arguments) == getattr(expected, name), name
    assert sum(read.values()) == expected.read_bytes
    assert sum(written.values()) == expected.written_bytes
    last = launches[-1].function
    assert written[f"{last}.o_ptr"] + written[f"{last}.lse_ptr"] == expected.out


@pytest.mark.parametrize("kv_heads", [1, 2, 8, 32])
def test_that_each_byte_of_the_cache_is_read_once_per_kv_head_not_once_per_head(kv_heads: int) -> None:
    case = DecodeCase(1000, kv_heads=kv_heads, group=32 // kv_heads, dtype=torch.float16)
    problem = DecodeProblem(case)

    output, launches = traced(problem)

    by_name = {buffer.buffer: buffer for buffer in traffic(launches[0]).buffers}
    cache_bytes = 2 * kv_heads * 1000 * 64
    assert by_name["k_ptr"].read_bytes == by_name["k_ptr"].unique_bytes == cache_bytes
    assert by_name["v_ptr"].read_bytes == by_name["v_ptr"].unique_bytes == cache_bytes
    assert_equal_to_the_closed_form(problem, output, launches)


def test_that_each_latent_byte_is_read_once_for_k_and_v_and_all_heads() -> None:
    case = DecodeCase(500, kv_heads=1, group=32, key_dim=160, value_dim=128, dtype=torch.bfloat16, latent=True)
    problem = DecodeProblem(case)

    output, launches = traced(problem)

    (latent,) = (buffer for buffer in traffic(launches[0]).buffers if buffer.buffer == "k_ptr")
    assert latent.read_bytes == latent.unique_bytes == 2 * 500 * 160
    assert_equal_to_the_closed_form(problem, output, launches)


def test_that_a_window_reads_its_keys_and_the_sinks_and_no_others() -> None:
    options = {"window": 100, "sink_tokens": 4}
    problem = DecodeProblem(DecodeCase(1000, query_len=3, kv_heads=1, options=options))

    output, launches = traced(problem, splits=3)

    touched = set()
    for access in launches[0].accesses:
        if launches[0].buffers[access.buffer].name == "k_ptr":
            touched |= set((access.offsets()[access.active()] // 64).tolist())
    assert touched == {*range(4), *range(1000 - 3 + 1 - 100, 1000)}
    assert_equal_to_the_closed_form(problem, output, launches)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_that_traced_bytes_equal_the_closed_form(data: st.DataObject) -> None:
    draw = data.draw
    batch, capacity = draw(st.integers(1, 3)), draw(st.integers(1, 300))
    latent = draw(st.booleans())
    kv_heads, group = 1 if latent else draw(st.integers(1, 3)), draw(st.integers(1, 20))
    options: dict[str, object] = {}
    if not latent and draw(st.booleans()):
        options |= {"window": draw(st.integers(1, 320)), "sink_tokens": draw(st.integers(0, 80))}
    if not latent and draw(st.booleans()):
        options["sink_logits"] = torch.zeros(kv_heads * group, dtype=draw(st.sampled_from([torch.float32, torch.half])))
    if not latent and draw(st.booleans()):
        options["k_scale"] = torch.ones(draw(st.sampled_from([1, kv_heads])))
    case = DecodeCase(
        capacity, draw(st.none() | st.tuples(*[st.integers(0, capacity)] * batch)), batch, kv_heads, group,
        query_len=draw(st.integers(1, 5)), key_dim=96, value_dim=draw(st.sampled_from([64, 80])),
        dtype=torch.float16, kv_dtype=draw(st.sampled_from([None, FP8])),
        page_size=draw(st.sampled_from([0, 16, 64])), latent=latent, options=options,
    )  # fmt: skip
    problem = DecodeProblem(case)

    output, launches = traced(
        problem, splits=draw(st.integers(1, 9)), block_kv=draw(st.sampled_from([16, 32])),
        block_rows=draw(st.sampled_from([None, 16])),
    )  # fmt: skip

    assert_equal_to_the_closed_form(problem, output, launches)
