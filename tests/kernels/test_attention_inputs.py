import pytest
import torch

from kernels.attention import Impl, attention, available
from kernels.errors import InvalidInputs, Unavailable
from tests.kernels.conftest import INTERPRETED


def tensor(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.zeros(shape, dtype=dtype)


@pytest.mark.parametrize(
    ("q", "k", "v", "sentence"),
    [
        (tensor(2, 8, 32), tensor(2, 8, 32), tensor(2, 8, 32), "four dimensions each"),
        (tensor(1, 2, 8, 32), tensor(1, 2, 8, 64), tensor(1, 2, 8, 64), "batch and head_dim must be equal"),
        (tensor(1, 2, 8, 32), tensor(1, 2, 9, 32), tensor(1, 2, 8, 32), "K and V must have the same shape"),
        (tensor(1, 2, 8, 32), tensor(1, 2, 0, 32), tensor(1, 2, 0, 32), "no empty dimension"),
        (tensor(1, 4, 8, 32), tensor(1, 3, 8, 32), tensor(1, 3, 8, 32), "4 query heads cannot be divided among 3"),
        (
            tensor(1, 2, 8, 48),
            tensor(1, 2, 8, 48),
            tensor(1, 2, 8, 48),
            "80, 96, 128, 192, 256, not 48",
        ),
        (tensor(1, 2, 8, 32), tensor(1, 2, 8, 32).half(), tensor(1, 2, 8, 32), "must share float32, float16 or"),
        (tensor(1, 2, 8, 32), tensor(1, 2, 8, 32).to("meta"), tensor(1, 2, 8, 32), "on one device"),
    ],
)
def test_that_inputs_that_do_not_match_give_one_sentence(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, sentence: str
) -> None:
    with pytest.raises(InvalidInputs, match=sentence):
        attention(q, k, v, impl=Impl.TORCH_NAIVE, causal=True)


@pytest.mark.parametrize(
    ("impl", "options", "error", "sentence"),
    [
        (Impl.TRITON_FLASH, {"softmax_scale": 0.0}, InvalidInputs, "must be positive and finite, not 0.0"),
        (Impl.TRITON_FLASH, {"softmax_scale": float("nan")}, InvalidInputs, "must be positive and finite, not nan"),
        (Impl.TRITON_FLASH, {"block_q": 48}, InvalidInputs, "block_q must be one of 16, 32, 64, 128, not 48"),
        (Impl.TRITON_FLASH, {"block_kv": 8}, InvalidInputs, "block_kv must be one of"),
        (Impl.SDPA_MATH, {"return_lse": True}, InvalidInputs, "sdpa-math returns no log-sum-exp: use reference or"),
        (Impl.TORCH_NAIVE, {"timeline": True}, InvalidInputs, "torch-naive records no timeline"),
        (Impl.TRITON_FLASH, {"timeline": True}, Unavailable, "A timeline needs an NVIDIA GPU"),
        (Impl.SDPA_CUDNN, {}, Unavailable, "sdpa-cudnn needs a CUDA GPU"),
        (Impl.SDPA_EFFICIENT, {}, Unavailable, "sdpa-efficient needs a CUDA GPU"),
    ],
)
def test_that_invalid_options_give_one_sentence(
    impl: Impl, options: dict[str, object], error: type[Exception], sentence: str
) -> None:
    q = tensor(1, 2, 8, 32)

    with pytest.raises(error, match=sentence):
        attention(q, q, q, impl=impl, causal=False, **options)


@pytest.mark.skipif(INTERPRETED, reason="interpreted kernels need no GPU")
@pytest.mark.parametrize("impl", [Impl.TRITON_FLASH, Impl.TRITON_STANDARD])
def test_that_a_triton_kernel_on_cpu_tensors_says_that_it_needs_a_gpu(impl: Impl) -> None:
    pytest.importorskip("triton")
    q = tensor(1, 2, 8, 32)

    with pytest.raises(Unavailable, match="compiles for GPUs, but the tensors are on the cpu") as raised:
        attention(q, q, q, impl=impl, causal=False)

    assert str(available(impl, "cpu")) == str(raised.value)


@pytest.mark.parametrize("impl", [Impl.REFERENCE, Impl.TORCH_NAIVE, Impl.SDPA_MATH, Impl.SDPA_FLASH])
def test_that_torch_runs_on_the_cpu(impl: Impl) -> None:
    assert available(impl, "cpu") is None
