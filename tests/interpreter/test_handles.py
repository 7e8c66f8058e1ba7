"""What launches and warm-ups return, what its binary needs, and launching it again."""

from __future__ import annotations

import pytest
import torch

from core.contracts.errors import TilescopeError
from core.interpreter import intercept
from tests.interpreter import traced_kernels as kernels


def test_that_a_launch_returns_the_compiled_kernel() -> None:
    x, o = torch.arange(64.0), torch.empty(64)
    with intercept() as tracer:
        compiled = kernels.add_kernel[(4,)](x, x, o, 64, BLOCK=16, num_warps=2)
        assert compiled.asm["ttir"] == tracer.launches[0].ttir
        assert ".entry add_kernel" in compiled.asm["ptx"].replace("\t", " ")
        assert set(compiled.asm) >= {"ttir", "ttgir", "llir", "ptx", "cubin"}
        assert compiled.name == "add_kernel"
        assert (compiled.metadata.num_warps, compiled.metadata.shared, compiled.n_spills) == (2, 0, 0)
        assert 1 <= compiled.n_regs <= 255


def test_that_a_warm_kernel_launches_with_all_arguments_or_with_those_that_are_no_constants() -> None:
    x = torch.arange(64.0)
    with intercept() as tracer:
        compiled = kernels.add_kernel.warmup(torch.float32, torch.float32, torch.float32, 64, BLOCK=16, grid=(1,))
        assert not tracer.launches
        compiled._init_handles()
        for arguments in ((x, x, 64, 16), (x, x, 64)):
            o = torch.full((64,), torch.nan)
            compiled[(4, 1, 1)](arguments[0], arguments[1], o, *arguments[2:])
            torch.testing.assert_close(o, 2 * x)
    assert [(launch.function, launch.grid) for launch in tracer.launches] == [("add_kernel", (4, 1, 1))] * 2


def test_that_a_wrong_number_of_arguments_is_one_sentence() -> None:
    with intercept():
        compiled = kernels.add_kernel.warmup(torch.float32, torch.float32, torch.float32, 64, BLOCK=16, grid=(1,))
        with pytest.raises(TilescopeError, match=r"takes 5 arguments, or the 4 that are no constants, .* with 2"):
            compiled[(4, 1, 1)](torch.zeros(4), torch.zeros(4))


def test_that_a_launch_by_triton_s_own_launcher_is_traced() -> None:
    x, o = torch.arange(64.0), torch.full((64,), torch.nan)
    with intercept() as tracer:
        compiled = kernels.add_kernel.warmup(torch.float32, torch.float32, torch.float32, 64, BLOCK=16, grid=(1,))
        compiled.run(4, 1, 1, 0, compiled.function, compiled.packed_metadata, None, None, None, x, x, o, 64, 16)
    torch.testing.assert_close(o, 2 * x)
    assert [launch.grid for launch in tracer.launches] == [(4, 1, 1)]
