"""Attention, dense and with masks, and losses where Triton does not exist: in one fresh process."""

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
    from kernels.loss import api as loss
    from kernels.loss.traffic import LossShape, linear_cross_entropy_steps

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

    hidden, weight, labels = torch.randn(3, 4), torch.randn(5, 4), torch.tensor([1, -100, 4])
    assert loss.linear_cross_entropy(hidden, weight, labels, impl=loss.Impl.TORCH) > 0
    assert linear_cross_entropy_steps(LossShape(3, 2, 5, 4, 4))
    for impl in loss.Impl:
        assert (impl is loss.Impl.TORCH) or "not installed" in str(loss.available(impl, "cpu"))
    try:
        loss.linear_cross_entropy(hidden, weight, labels)
    except Unavailable as error:
        assert "not installed" in str(error)
    else:
        sys.exit("ran")
"""


def test_that_attention_masks_losses_and_pytorch_work_where_triton_does_not_exist() -> None:
    outcome = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=100)

    assert outcome.returncode == 0, outcome.stderr
