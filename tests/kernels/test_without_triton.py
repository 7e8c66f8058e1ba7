"""Attention where Triton does not exist, dense and with masks: in one fresh process."""

import subprocess
import sys

SCRIPT = """if True:
    import sys
    sys.modules["triton"] = None
    import torch
    from kernels.attention import (
        Impl, SparseImpl, TermKind, attention, available, sparse_attention, sparse_available, term,
    )
    from kernels.errors import Unavailable

    q = torch.randn(1, 2, 8, 32)
    assert attention(q, q, q, impl=Impl.TORCH_NAIVE, causal=True).out.shape == q.shape
    assert "not installed" in str(available(Impl.TRITON_FLASH, "cpu"))
    try:
        attention(q, q, q, impl=Impl.TRITON_FLASH, causal=True)
    except Unavailable as error:
        assert "not installed" in str(error)
    else:
        sys.exit("ran")

    q = torch.randn(1, 2, 40, 32)
    exact, *others = (
        sparse_attention(q, q, q, impl=impl, mask=term(TermKind.CAUSAL)).out
        for impl in SparseImpl if impl is not SparseImpl.BLOCK_SPARSE
    )
    assert len(others) == 3 and all((out - exact).abs().max() < 1e-5 for out in others)
    assert "not installed" in str(sparse_available(SparseImpl.BLOCK_SPARSE, "cpu"))
"""


def test_that_attention_masks_and_pytorch_work_where_triton_does_not_exist() -> None:
    outcome = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=100)

    assert outcome.returncode == 0, outcome.stderr
