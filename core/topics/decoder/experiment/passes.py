"""A pass on the flash kernel that records every tensor, the attentions with their traffic, and the predictions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import torch

from core.engine.steps import ProgressCallback
from core.interpreter import intercept
from core.topics.decoder.experiment.network import Attend, Network, Pass, Record, ignore, run_both
from core.topics.decoder.inputs import Inputs
from core.topics.decoder.params import DecoderParams
from core.topics.decoder.result import MAX_COLUMNS, Attention, Prediction
from core.topics.decoder.tokens import SPECIAL
from core.trace.kernel_traffic import KernelTraffic, kernel_traffic
from core.trace.record import Launch
from kernels.attention import TENSOR_OF_ARGUMENT, Impl, attention
from kernels.attention.mask import MaskDescription, TermKind, term
from kernels.attention.sparse import SparseImpl, sparse_attention


@dataclass(frozen=True)
class Scene:
    """What every part of the experiment needs: the parameters, the weights on their device, and the texts."""

    params: DecoderParams
    network: Network
    inputs: Inputs
    device: str

    def one_pass(self, attend: Attend, record: Record = ignore, network: Network | None = None) -> Pass:
        return Pass(network or self.network, attend, self.params.causal, self.inputs.source_visible, record)

    def ids(self, stack: str, inputs: Inputs | None = None) -> torch.Tensor:
        """The token ids of 'source' or 'target', on the device."""
        text = getattr(inputs or self.inputs, stack)
        return torch.from_numpy(text.ids).to(self.device)


@dataclass(frozen=True)
class Call:
    """One attention of a pass: q [heads, query_len, head_dim], k of the visible keys, and the kernel's log-sum-exp."""

    name: str
    q: torch.Tensor
    k: torch.Tensor
    lse: torch.Tensor
    causal: bool
    key_len: int

    def probabilities(self) -> torch.Tensor:
        """exp(score - LSE), float32 [heads, query_len, key_len]: the weights of V. Masked cells are 0."""
        scores = self.q @ self.k.mT / math.sqrt(self.q.shape[-1])
        if self.causal:
            query_len, visible = scores.shape[-2:]
            hidden = torch.ones(query_len, visible, dtype=torch.bool, device=scores.device).triu(
                visible - query_len + 1
            )
            scores = scores.masked_fill(hidden, -math.inf)
        weights = torch.exp(scores - self.lse[..., None])
        return torch.nn.functional.pad(weights, (0, self.key_len - weights.shape[-1]))


@dataclass
class Flash:
    """Attention on the project's Triton kernels: flash, or block-sparse where padding must be hidden.

    `calls` records every attention in order.
    """

    calls: list[Call] = field(default_factory=list)

    def __call__(
        self, name: str, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, *, causal: bool, visible_keys: int
    ) -> torch.Tensor:
        batch = q[None], k[None], v[None]
        if visible_keys < k.shape[1]:
            hidden_pads = _without_pads(visible_keys, causal=causal)
            attended = sparse_attention(*batch, impl=SparseImpl.BLOCK_SPARSE, mask=hidden_pads)
        else:
            attended = attention(*batch, impl=Impl.TRITON_FLASH, causal=causal, return_lse=True)
        assert attended.lse is not None  # both kernels always write it
        self.calls.append(Call(name, q, k[:, :visible_keys], attended.lse[0], causal, k.shape[1]))
        return attended.out[0]


def _without_pads(visible_keys: int, *, causal: bool) -> MaskDescription:
    real_keys = term(TermKind.KEYS_BEFORE, visible_keys)
    return real_keys & term(TermKind.CAUSAL) if causal else real_keys


def torch_attention(
    name: str, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, *, causal: bool, visible_keys: int
) -> torch.Tensor:
    """Attention by PyTorch's matmul and softmax in the dtype of q: differentiable, and the reference in float64.

    Without a visible key it gives zeros, as the kernels do, instead of the NaN of a softmax of nothing.
    """
    if not visible_keys:
        return torch.zeros_like(q)
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    hidden = (torch.arange(k.shape[1], device=q.device) >= visible_keys).expand(q.shape[1], -1)
    if causal:
        hidden = hidden | torch.ones_like(hidden).triu(1)
    return torch.softmax(scores.masked_fill(hidden, -math.inf), dim=-1) @ v


@dataclass(frozen=True)
class Recorded:
    """Every tensor of one pass by node id, the attentions in order, and the traced launches of their kernels."""

    tensors: dict[str, torch.Tensor]
    calls: tuple[Call, ...]
    launches: tuple[Launch, ...]


def flash_pass(scene: Scene, inputs: Inputs, progress: ProgressCallback) -> Recorded:
    """One pass on the flash kernel: executed by the TTIR interpreter on a CPU; run and then traced on a GPU."""
    if torch.device(scene.device).type != "cuda":
        return _traced_pass(scene, inputs, progress)
    gpu_pass = _record(scene, inputs)
    return Recorded(gpu_pass.tensors, gpu_pass.calls, _traced_pass(scene, inputs, progress).launches)


def run_kernels(scene: Scene) -> AbstractContextManager[object]:
    """A context in which the Triton kernels run, forward and backward: executed by the TTIR interpreter on a CPU."""
    return nullcontext() if torch.device(scene.device).type == "cuda" else intercept()


def downsampled(tensor: torch.Tensor) -> np.ndarray:
    """float32 [length, columns] for drawing: at most MAX_COLUMNS columns, each the mean of neighbouring elements."""
    values = tensor.detach().float()
    width = values.shape[1]
    if width > MAX_COLUMNS:
        edges = np.linspace(0, width, MAX_COLUMNS + 1).astype(int)
        values = torch.stack([values[:, a:b].mean(1) for a, b in pairwise(edges)], dim=1)
    # A copy, because a later pass may write to the tensor.
    return np.array(values.cpu().numpy(), dtype=np.float32)


def short_name(attention: str) -> str:
    """'decoder.cross' to 'cross', 'encoder.0.self' to 'encoder.0'."""
    stack, *rest = attention.split(".")
    return rest[-1] if stack == "decoder" else f"encoder.{rest[0]}"


def traffic_of(recorded: Recorded) -> dict[str, KernelTraffic]:
    """The traffic of every attention kernel, by the attention's short name."""
    return {
        short_name(call.name): kernel_traffic("flash", [launch], TENSOR_OF_ARGUMENT)
        for call, launch in zip(recorded.calls, recorded.launches, strict=True)
    }


def attentions_of(recorded: Recorded, traffic: Mapping[str, KernelTraffic]) -> dict[str, Attention]:
    """Weights and traffic of every attention, by its short name."""
    weights = {short_name(call.name): call.probabilities().cpu().numpy() for call in recorded.calls}
    return {name: Attention(probabilities, traffic[name].traffic) for name, probabilities in weights.items()}


def predictions_of(inputs: Inputs, logits: torch.Tensor) -> tuple[Prediction, ...]:
    """The predictions at the positions of the target text. A token of neither text is shown as '<unseen>'."""
    assert inputs.target is not None  # callers have logits
    label_of = dict(enumerate(SPECIAL))
    for text in (inputs.source, inputs.target):
        if text is not None:
            label_of.update(zip(text.ids.tolist(), text.labels, strict=True))
    predictions = []
    most_probable = torch.softmax(logits[inputs.target_start :].float(), dim=-1).max(dim=-1)
    for offset, expected in enumerate(inputs.expected):
        predicted, position = int(most_probable.indices[offset]), inputs.target_start + offset
        predictions.append(
            Prediction(
                position=position,
                given=inputs.target.labels[position],
                expected=label_of[expected],
                predicted=label_of.get(predicted, "<unseen>"),
                probability=float(most_probable.values[offset]),
                is_right=predicted == expected,
            )
        )
    return tuple(predictions)


def weight_on_expected(inputs: Inputs, cross: np.ndarray) -> float | None:
    """Mean probability of the best head on the next token, over positions whose next token is in the source.

    None if there is no such position. cross float32 [heads, target_len, source_len].
    """
    assert inputs.source is not None  # callers have a cross-attention
    source = inputs.source.ids[: inputs.source_visible]
    weights = torch.from_numpy(cross)[..., : inputs.source_visible]
    on_expected = [
        weights[:, position, torch.from_numpy(source == expected)].sum(-1)
        for position, expected in enumerate(inputs.expected)
        if bool((source == expected).any())
    ]
    return float(torch.stack(on_expected).mean(0).max()) if on_expected else None


def _traced_pass(scene: Scene, inputs: Inputs, progress: ProgressCallback) -> Recorded:
    with intercept(progress=progress) as tracer:
        recorded = _record(scene, inputs)
    return Recorded(recorded.tensors, recorded.calls, tuple(tracer.launches))


def _record(scene: Scene, inputs: Inputs) -> Recorded:
    tensors: dict[str, torch.Tensor] = {}
    flash = Flash()
    with torch.no_grad():
        run_both(scene.one_pass(flash, tensors.__setitem__), inputs, scene.device)
    return Recorded(tensors, tuple(flash.calls), ())
