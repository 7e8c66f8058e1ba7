"""The contract of `intercept`: results in the tensors, errors in one sentence, everything restored."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import triton
from triton.runtime.jit import JITFunction

from core.contracts.errors import TilescopeError
from core.contracts.text import Text
from core.interpreter import intercept
from kernels.attention import Impl, attention
from tests.interpreter import traced_kernels as kernels

ROOT = Path(__file__).parents[2]


def add(length: int = 75) -> tuple[torch.Tensor, torch.Tensor]:
    x, o = torch.arange(float(length)), torch.full((length,), torch.nan)
    kernels.add_kernel[(triton.cdiv(length, 16),)](x, x, o, length, BLOCK=16)
    return x, o


def test_that_a_launch_writes_its_results_and_is_recorded() -> None:
    with intercept() as tracer:
        x, o = add()
    torch.testing.assert_close(o, 2 * x)
    (launch,) = tracer.launches
    assert (launch.function, launch.grid, launch.programs) == ("add_kernel", (5, 1, 1), 5)
    assert [buffer.name for buffer in launch.buffers] == ["x_ptr", "y_ptr", "o_ptr"]
    assert launch.buffers[0].data_ptr == x.data_ptr()
    assert launch.buffers[0].size_bytes == 75 * 4
    assert Path(launch.file).name == "traced_kernels.py"
    assert launch.source.splitlines()[0] == "@triton.jit"
    assert [access.kind for access in launch.accesses] == ["load", "load", "store"]
    line = launch.source.splitlines()[launch.accesses[0].line - launch.first_line]
    assert "tl.load" in line


def test_that_a_kernel_is_lowered_once_for_each_specialisation(monkeypatch: pytest.MonkeyPatch) -> None:
    from core.interpreter import frontend

    lowered: list[str] = []
    original = frontend._ttir

    def counted(*args: Any) -> str:
        lowered.append(args[2].__class__.__name__)
        return original(*args)

    monkeypatch.setattr(frontend, "_ttir", counted)
    with intercept() as tracer:
        for length in (80, 96, 81, 83):
            x, o = add(length)
            torch.testing.assert_close(o, 2 * x)
    assert len(lowered) <= 2
    assert "tt.divisibility = 16" in tracer.launches[0].ttir


def test_that_a_length_of_one_is_folded_as_triton_folds_it() -> None:
    with intercept() as tracer:
        x, o = add(1)
    torch.testing.assert_close(o, 2 * x)
    assert "%length" not in tracer.launches[0].ttir


def test_that_jit_functions_are_put_back_after_an_error() -> None:
    original = JITFunction.run

    def stop(done: float, total: float, phase: Text) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), intercept(progress=stop):
        add()
    assert JITFunction.run is original
    with intercept():
        x, o = add()
    torch.testing.assert_close(o, 2 * x)


def test_that_ticks_come_at_every_iteration_and_never_go_back() -> None:
    ticks: list[tuple[float, float, Text]] = []
    x, o = torch.randn(16 * 8), torch.empty(16)
    with intercept(progress=lambda *progress: ticks.append(progress), memory_budget_bytes=1):
        kernels.running_kernel[(16,)](x, o, 8, BLOCK=8)
    done = [progress[0] for progress in ticks]
    assert len(ticks) >= sum(range(1, 17))
    assert done == sorted(done)
    assert ticks[-1][:2] == (16, 16)
    assert "running_kernel" in str(ticks[0][2])


def test_that_a_cancelled_loop_stops_in_the_middle() -> None:
    x, o = torch.randn(16 * 8), torch.full((16,), torch.nan)
    seen: list[float] = []

    def stop(done: float, total: float, phase: Text) -> None:
        seen.append(done)
        if len(seen) == 4:
            raise RuntimeError("cancelled")

    with pytest.raises(RuntimeError, match="cancelled"), intercept(progress=stop):
        kernels.running_kernel[(16,)](x, o, 8, BLOCK=8)
    assert bool(torch.isnan(o).all())


def test_that_nested_use_is_refused_and_the_outer_trace_goes_on() -> None:
    with intercept() as tracer:
        with pytest.raises(TilescopeError, match="Another trace is running"), intercept():
            pass
        add()
    assert len(tracer.launches) == 1


def test_that_an_illegal_access_names_kernel_line_program_tensor_and_index() -> None:
    x, o = torch.zeros(32), torch.full((32,), torch.nan)
    with pytest.raises(TilescopeError) as caught, intercept():
        kernels.overrun_kernel[(2,)](x, o, BLOCK=16)
    sentence = caught.value.sentence
    for part in ("Illegal load in overrun_kernel", "traced_kernels.py:", "program (1, 0, 0)", "index 32 of x_ptr"):
        assert part in sentence
    assert bool(torch.isnan(o).all())


def test_that_an_unknown_operation_is_named_with_its_line_before_anything_runs() -> None:
    o = torch.full((1,), -1, dtype=torch.int32)
    message = r"traced_kernels\.py:\d+ runs inline assembly \('mov\.u32 \$0, %laneid;'\)"
    with pytest.raises(TilescopeError, match=message), intercept():
        kernels.inline_assembly_kernel[(1,)](o)
    assert o.item() == -1


def test_that_a_kernel_that_triton_rejects_is_one_error() -> None:
    with pytest.raises(TilescopeError, match="Triton cannot compile add_kernel"), intercept():
        kernels.add_kernel[(1,)](torch.zeros(3), torch.zeros(3), torch.zeros(3), 3, BLOCK=3)


def test_that_wrong_arguments_are_one_error() -> None:
    with pytest.raises(TilescopeError, match="add_kernel was launched with the wrong arguments"), intercept():
        kernels.add_kernel[(1,)](torch.zeros(4), BLOCK=4)


def test_that_a_reinterpreted_tensor_is_read_in_its_new_type() -> None:
    bits, o = torch.arange(16, dtype=torch.int32).view(torch.float32), torch.empty(16, dtype=torch.int32)
    with intercept():
        kernels.add_kernel[(1,)](
            triton.reinterpret(bits, triton.language.int32), o.copy_(torch.ones(16)), o, 16, BLOCK=16
        )
    assert o.tolist() == list(range(1, 17))


def test_that_an_empty_grid_runs_nothing() -> None:
    with intercept() as tracer:
        kernels.add_kernel[(0,)](torch.zeros(4), torch.zeros(4), torch.zeros(4), 4, BLOCK=4)
    assert tracer.launches[0].accesses == ()


def test_that_an_autotuned_kernel_runs_its_first_configuration() -> None:
    configs = [triton.Config({"BLOCK": 32}), triton.Config({"BLOCK": 64})]
    tuned = triton.autotune(configs, key=["length"])(kernels.add_kernel)
    x, o = torch.arange(100.0), torch.full((100,), torch.nan)
    with intercept() as tracer:
        tuned[lambda meta: (triton.cdiv(100, meta["BLOCK"]),)](x, x, o, 100)
    torch.testing.assert_close(o, 2 * x)
    assert tracer.launches[0].grid == (4, 1, 1)
    assert tracer.launches[0].config.startswith("BLOCK=32, ")


def test_that_an_autotuner_goes_past_a_configuration_that_does_not_compile() -> None:
    configs = [triton.Config({"BLOCK": 24}), triton.Config({"BLOCK": 64}, num_warps=8)]
    tuned = triton.autotune(configs, key=["length"])(kernels.add_kernel)
    x, o = torch.arange(100.0), torch.full((100,), torch.nan)
    with intercept() as tracer:
        tuned[lambda meta: (triton.cdiv(100, meta["BLOCK"]),)](x, x, o, 100)
    torch.testing.assert_close(o, 2 * x)
    assert [launch.config.split(",")[0] for launch in tracer.launches] == ["BLOCK=64"]


def test_that_a_heuristic_argument_is_computed() -> None:
    chosen = triton.heuristics({"BLOCK": lambda arguments: 32})(kernels.add_kernel)
    x, o = torch.arange(40.0), torch.full((40,), torch.nan)
    with intercept() as tracer:
        chosen[(2,)](x, x, o, 40)
    torch.testing.assert_close(o, 2 * x)
    assert tracer.launches[0].accesses[0].shape == (32,)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_that_low_precision_rounds_after_each_operation_as_torch_does(dtype: torch.dtype) -> None:
    x, o = torch.randn(32, generator=torch.Generator().manual_seed(3)), torch.empty(32, dtype=dtype)
    with intercept():
        kernels.cast_kernel[(2,)](x, o, BLOCK=16)
    narrow = x.to(dtype)
    torch.testing.assert_close(o, narrow * narrow + narrow, rtol=0, atol=0)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_that_dot_products_of_low_precision_accumulate_in_float32(dtype: torch.dtype) -> None:
    a, b = (torch.randn(16, 16, generator=torch.Generator().manual_seed(s)).to(dtype) for s in (0, 1))
    for out in (torch.float32, dtype):
        o = torch.empty(16, 16, dtype=out)
        with intercept():
            kernels.dot_kernel[(1,)](a, b, o, SIZE=16)
        torch.testing.assert_close(o, (a.float() @ b.float()).to(out), rtol=1e-6, atol=1e-6)


def test_that_integer_dot_products_are_exact() -> None:
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randint(-128, 128, (32, 32), generator=generator, dtype=torch.int8) for _ in range(2))
    o = torch.empty(32, 32, dtype=torch.int32)
    with intercept():
        kernels.dot_kernel[(1,)](a, b, o, SIZE=32)
    assert torch.equal(o, a.int() @ b.int())


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("impl", [Impl.TRITON_FLASH, Impl.TRITON_STANDARD])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 2e-6), (torch.bfloat16, 2e-2), (torch.float16, 2e-3)])
def test_that_attention_agrees_with_float64(impl: Impl, causal: bool, dtype: torch.dtype, tolerance: float) -> None:
    generator = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(1, 2, 63, 32, generator=generator).to(dtype) for _ in range(3))
    with intercept():
        out = attention(q, k, v, impl=impl, causal=causal, block_q=16, block_kv=32)
    output = out if isinstance(out, torch.Tensor) else out.out
    expected = torch.nn.functional.scaled_dot_product_attention(q.double(), k.double(), v.double(), is_causal=causal)
    torch.testing.assert_close(output.double(), expected, rtol=0, atol=tolerance)


def running(**options: Any) -> Any:
    x, o = torch.arange(32.0), torch.empty(4)
    with intercept(watch=("m_i", "l_i", "nothing"), **options) as tracer:
        kernels.running_kernel[(4,)](x, o, 8, BLOCK=8)
    return tracer.launches[0].watched


def test_that_watched_variables_have_a_value_for_each_iteration_that_ran() -> None:
    watched = running()
    assert set(watched) == {"m_i", "l_i"}
    maximum = watched["m_i"].values
    assert maximum.shape == (4, 4)
    assert watched["l_i"].values.shape == (4, 4, 8)
    for program in range(4):
        np.testing.assert_array_equal(maximum[program, : program + 1], [7.0 + 8 * i for i in range(program + 1)])
        assert np.isnan(maximum[program, program + 1 :]).all()
    assert watched["m_i"].programs.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("selection", [[1, 3], lambda programs: programs % 2 == 1])
def test_that_only_selected_programs_are_watched(selection: Callable[[Any], Any] | list[int]) -> None:
    watched = running(watch_programs=selection)
    assert watched["m_i"].programs.tolist() == [1, 3]
    np.testing.assert_array_equal(watched["m_i"].values[1], [7.0, 15.0, 23.0, 31.0])


def test_that_a_byte_limit_leaves_programs_out_and_says_so() -> None:
    watched = running(watch_limit_bytes=1)
    assert watched["m_i"].truncated or watched["l_i"].truncated


def test_that_an_interpreting_triton_is_refused_in_one_sentence() -> None:
    code = (
        "from core.interpreter import intercept\nfrom core.contracts.errors import MissingRequirement\n"
        "try:\n    intercept().__enter__()\nexcept MissingRequirement as error:\n    print(error.sentence)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={"TRITON_INTERPRET": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "unset TRITON_INTERPRET" in done.stdout


def test_that_a_missing_triton_is_one_sentence_and_records_need_no_torch() -> None:
    code = (
        "import sys\nsys.modules['triton'] = None\n"
        "import core.interpreter, core.trace.traffic, core.trace.address_map, core.interpreter.parser\n"
        "assert 'torch' not in sys.modules\n"
        "from core.contracts.errors import MissingRequirement\n"
        "try:\n    core.interpreter.intercept().__enter__()\n"
        "except MissingRequirement as error:\n    print(error.sentence)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "needs Triton, which" in done.stdout
