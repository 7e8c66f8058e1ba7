"""Code that torch.compile wrote for cuda runs inside a trace, in this process and without a GPU."""

from __future__ import annotations

import importlib.util
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional

from core.hardware.gpus import gpu
from core.interpreter import intercept

pytestmark = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a real one")
OUTPUT = Path(__file__).with_name("inductor_output.txt")
GENERATED = Path(__file__).with_name("inductor_generated.txt")
GPU = gpu("h100-sxm")

REDUCTION = """
import triton
import triton.language as tl
from torch._inductor.runtime import triton_helpers, triton_heuristics
from torch._inductor.runtime.hints import DeviceProperties, ReductionHint
triton_helpers.set_driver_to_gpu()

@triton_heuristics.reduction(
    size_hints={'x': 4, 'r0_': 8192},
    reduction_hint=ReductionHint.INNER,
    filename=__file__,
    triton_meta={'signature': {'in_ptr0': '*fp32', 'out_ptr0': '*fp32', 'ks0': 'i64', 'xnumel': 'i32',
                               'r0_numel': 'i32', 'XBLOCK': 'constexpr', 'R0_BLOCK': 'constexpr'},
                 'device': DeviceProperties(type='cuda', index=0, multi_processor_count=132, cc=90, major=9,
                                            regs_per_multiprocessor=65536, max_threads_per_multi_processor=2048,
                                            max_threads_per_block=1024, warp_size=32),
                 'constants': {}, 'configs': [{}]},
    inductor_meta={'grid_type': 'Grid1D', 'autotune_hints': set(), 'kernel_name': 'triton_red_fused_sum_0',
                   'mutated_arg_names': [], 'optimize_mem': True, 'num_load': 1, 'num_reduction': 1},
)
@triton.jit
def triton_red_fused_sum_0(in_ptr0, out_ptr0, ks0, xnumel, r0_numel, XBLOCK : tl.constexpr, R0_BLOCK : tl.constexpr):
    xnumel = 3
    xoffset = tl.program_id(0) * XBLOCK
    xindex = xoffset + tl.arange(0, XBLOCK)[:, None]
    xmask = xindex < xnumel
    r0_base = tl.arange(0, R0_BLOCK)[None, :]
    x0 = xindex
    _tmp2 = tl.full([XBLOCK, R0_BLOCK], 0, tl.float32)
    for r0_offset in tl.range(0, r0_numel, R0_BLOCK):
        r0_index = r0_offset + r0_base
        r0_mask = r0_index < r0_numel
        tmp0 = tl.load(in_ptr0 + (r0_index + ks0*x0), r0_mask & xmask, eviction_policy='evict_first', other=0.0)
        tmp1 = tl.broadcast_to(tmp0, [XBLOCK, R0_BLOCK])
        tmp3 = _tmp2 + tmp1
        _tmp2 = tl.where(r0_mask & xmask, tmp3, _tmp2)
    tmp2 = tl.sum(_tmp2, 1)[:, None]
    tl.store(out_ptr0 + (x0), tmp2, xmask)
"""


def _opened(source: str, folder: Path, name: str) -> Any:
    file = folder / f"{name}.py"
    file.write_text(source)
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("inductor")
        patch.setenv("TORCHINDUCTOR_CACHE_DIR", str(folder / "cache"))
        patch.setenv("TRITON_CACHE_DIR", str(folder / "triton"))
        yield folder


@pytest.fixture(scope="module")
def output(folder: Path) -> Any:
    """The whole file, imported inside a trace as the user's file is."""
    finders = list(sys.meta_path)
    with intercept(gpu=GPU):
        module = _opened(OUTPUT.read_text(), folder, "inductor_output")
    assert sys.meta_path == finders
    return module


@pytest.mark.parametrize(("config", "block"), [(0, 256), (1, 256), (2, 128)])
def test_that_a_whole_output_file_computes_what_torch_computes(output: Any, config: int, block: int) -> None:
    """A product, a pointwise kernel in place and a persistent reduction."""
    torch.manual_seed(0)
    with intercept(gpu=GPU, config=config) as tracer:
        weight, x, bias = (torch.randn(shape, device="cuda") for shape in ((300, 48), (7, 48), (300,)))
        (result,) = output.call([weight, x, bias])
        assert result.is_cuda
    expected = torch.softmax(torch.relu(x.double() @ weight.double().T + bias.double()), dim=1)
    torch.testing.assert_close(result.double(), expected, atol=1e-5, rtol=1e-4)
    pointwise, softmax = tracer.launches
    assert pointwise.config.startswith(f"XBLOCK={block}, ")
    assert pointwise.grid == (math.ceil(2100 / block), 1, 1)
    assert softmax.function == "triton_per_fused__softmax_1"
    assert [buffer.argument for buffer in softmax.buffers] == ["buf1", "buf4"]


def test_that_what_inductor_wrote_by_itself_computes_what_torch_computes(folder: Path) -> None:
    """A layer norm, GELU and a product, fused into one persistent reduction."""
    with intercept(gpu=GPU) as tracer:
        generated = _opened(GENERATED.read_text(), folder, "inductor_generated")
        x, weight, bias = given = generated.get_args()
        (result,) = generated.call(list(given))
    x, weight, bias = (each.double() for each in (x, weight, bias))
    expected = functional.gelu(functional.layer_norm(x, (256,), weight, bias)) * x
    torch.testing.assert_close(result.double(), expected, atol=1e-5, rtol=1e-4)
    (launch,) = tracer.launches
    assert (launch.function, launch.faults) == ("triton_per_fused_0", ())
    assert launch.config


def test_that_the_benchmark_of_an_output_file_runs_once(output: Any) -> None:
    with intercept(gpu=GPU) as tracer:
        assert math.isnan(output.benchmark_compiled_module())
    assert len(tracer.launches) == 2
    assert "print_performance" in str(tracer.notices)


def test_that_a_bare_reduction_keeps_the_types_that_inductor_states(folder: Path) -> None:
    with intercept(gpu=GPU) as tracer:
        kernel = _opened(REDUCTION, folder, "reduction").triton_red_fused_sum_0
        x = torch.randn(3, 5000, device="cuda")
        sums = torch.full((3,), torch.nan, device="cuda")
        kernel.run(x, sums, 5000, 3, 5000, stream=0)
    torch.testing.assert_close(sums, x.sum(1), atol=1e-3, rtol=1e-4)
    (launch,) = tracer.launches
    assert "%ks0: i64" in launch.ttir
    assert "%xnumel: i32" in launch.ttir
    assert launch.grid == (3, 1, 1)


def test_that_inductor_is_put_back(output: Any) -> None:
    from torch._inductor import async_compile, utils
    from torch._inductor.runtime import triton_helpers, triton_heuristics

    def defined() -> list[Any]:
        owners = (triton_heuristics.CachingAutotuner.run, async_compile.AsyncCompile.triton)
        return [*owners, triton_helpers.set_driver_to_gpu, utils.print_performance]

    before = defined()
    assert all(function.__module__.startswith("torch._inductor") for function in before)
    with intercept(gpu=GPU):
        assert not any(function.__module__.startswith("torch._inductor") for function in defined())
    assert defined() == before
