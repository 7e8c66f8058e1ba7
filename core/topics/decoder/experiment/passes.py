"""A pass on the flash kernel with every tensor kept: the attentions, what their kernels moved, what the logits say."""

from __future__ import annotations

import math
from collections.abc import Mapping
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
    """What every part of the experiment works on: the weights on their device, and the texts."""

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
    """The project's Triton kernels: flash, and the block-sparse one where there are pads to hide.

    `calls` keeps what the pictures need, in order.
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
        assert attended.lse is not None  # both write it in any case
        self.calls.append(Call(name, q, k[:, :visible_keys], attended.lse[0], causal, k.shape[1]))
        return attended.out[0]


def _without_pads(visible_keys: int, *, causal: bool) -> MaskDescription:
    real_keys = term(TermKind.KEYS_BEFORE, visible_keys)
    return real_keys & term(TermKind.CAUSAL) if causal else real_keys


def by_operations(
    name: str, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, *, causal: bool, visible_keys: int
) -> torch.Tensor:
    """matmul, softmax, matmul by PyTorch, in the dtype of q: differentiable, and an oracle in float64."""
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
    """One pass on the flash kernel: executed by the TTIR interpreter on a CPU; run, and traced besides, on a GPU."""
    if torch.device(scene.device).type != "cuda":
        return _traced_pass(scene, inputs, progress)
    run = _keep_all(scene, inputs)
    return Recorded(run.tensors, run.calls, _traced_pass(scene, inputs, progress).launches)


def picture(tensor: torch.Tensor) -> np.ndarray:
    """float32 [length, columns] for drawing: at most MAX_COLUMNS, each then the mean of neighbouring elements."""
    values = tensor.detach().float()
    width = values.shape[1]
    if width > MAX_COLUMNS:
        edges = np.linspace(0, width, MAX_COLUMNS + 1).astype(int)
        values = torch.stack([values[:, a:b].mean(1) for a, b in pairwise(edges)], dim=1)
    # A copy: the tensor may be one that a later pass writes to.
    return np.array(values.cpu().numpy(), dtype=np.float32)


def short_name(attention: str) -> str:
    """'decoder.cross' to 'cross', 'encoder.0.self' to 'encoder.0'."""
    stack, *rest = attention.split(".")
    return rest[-1] if stack == "decoder" else f"encoder.{rest[0]}"


def traffic_of(recorded: Recorded) -> dict[str, KernelTraffic]:
    """What the kernel of every attention moved, by the attention's short name."""
    return {
        short_name(call.name): kernel_traffic("flash", [launch], TENSOR_OF_ARGUMENT)
        for call, launch in zip(recorded.calls, recorded.launches, strict=True)
    }


def attentions_of(recorded: Recorded, moved: Mapping[str, KernelTraffic]) -> dict[str, Attention]:
    """Weights and traffic of every attention, by its short name."""
    weights = {short_name(call.name): call.probabilities().cpu().numpy() for call in recorded.calls}
    return {name: Attention(probabilities, moved[name].traffic) for name, probabilities in weights.items()}


def predictions_of(inputs: Inputs, logits: torch.Tensor) -> tuple[Prediction, ...]:
    """At the positions of the target text. A token of neither text is shown as '<unseen>'."""
    assert inputs.target is not None  # who calls has logits
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
    """Mean probability, in the best head, on the token to be written where the source has it; None where it never does.

    cross float32 [heads, target_len, source_len].
    """
    assert inputs.source is not None  # who calls has a cross-attention
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
        kept = _keep_all(scene, inputs)
    return Recorded(kept.tensors, kept.calls, tuple(tracer.launches))


def _keep_all(scene: Scene, inputs: Inputs) -> Recorded:
    tensors: dict[str, torch.Tensor] = {}
    flash = Flash()
    with torch.no_grad():
        run_both(scene.one_pass(flash, tensors.__setitem__), inputs, scene.device)
    return Recorded(tensors, tuple(flash.calls), ())
