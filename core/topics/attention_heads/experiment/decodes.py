"""One decode step of each attention through the Triton kernels: traced, checked against float64, counted by tensor."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from core.contracts.result import number_or_none
from core.engine.phases import in_parts
from core.engine.steps import ProgressCallback
from core.hardware.compare import allowed_rms_error
from core.hardware.timing import check_against
from core.interpreter import Launch, intercept
from core.model_configs import AttentionFacts, ModelFacts
from core.topics.attention_heads.decode_step import attention_flops_per_key
from core.topics.attention_heads.experiment.inputs import (
    DecodeProblem,
    MhaInputs,
    float64_output,
    grouped_problem,
    latent_problem,
    plain_output,
    relative_rms,
)
from core.topics.attention_heads.params import MHA, MLA, AttentionHeadsParams
from core.topics.attention_heads.result import TracedDecode
from core.topics.attention_heads.schemes import chosen, grouped, latent, scheme_title, usual_kv_heads
from core.trace.kernel_traffic import KernelTraffic, kernel_traffic, moved_bytes
from kernels.attention import TENSOR_OF_ARGUMENT
from kernels.attention.decode import DecodeImpl, DecodeOutput
from kernels.attention.decode_traffic import DecodeCall, decode_traffic

_CACHE = ("K", "V", "latents")
_PARTS, _PARTS_LSE = "O_parts", "LSE_parts"


@dataclass(frozen=True, eq=False)
class Decoded:
    """A decode step and what later phases need of it: its problem, the kernel's output and the float64 one."""

    decode: TracedDecode
    traffic: KernelTraffic
    problem: DecodeProblem
    out: torch.Tensor
    reference: torch.Tensor
    allowed: float


def attentions(params: AttentionHeadsParams, original: ModelFacts) -> dict[str, AttentionFacts]:
    """By title: the chosen attention first, then MHA, GQA with 8 KV heads where they divide the heads, MQA and MLA."""
    attention = original.attention
    assert attention is not None  # a model without attention has no plan
    others = (grouped(attention, number) for number in usual_kv_heads(attention.heads))
    found = [chosen(params, attention), *others, latent(attention)]
    by_title: dict[str, AttentionFacts] = {}
    for each in found:
        by_title.setdefault(scheme_title(each), each)
    return by_title


def make_problem(
    key: str, attention: AttentionFacts, mha: MhaInputs, params: AttentionHeadsParams, device: str
) -> DecodeProblem:
    """The inputs of one attention, of as many tokens as those of MHA."""
    if attention.latent is None:
        return grouped_problem(key, attention, mha, params.traced_dtype)
    return latent_problem(key, attention, mha.k.shape[2], params.traced_dtype, params.seed, device)


def trace_decode(problem: DecodeProblem, mha_output: torch.Tensor, progress: ProgressCallback) -> Decoded:
    """Trace a decode step and check it. `mha_output` is MHA's in float64. Raises KernelError for sizes that the kernel
    does not support."""
    progress = in_parts(progress, 4)
    with intercept(progress=progress) as tracer:
        output = problem.run(DecodeImpl.TRITON)
    traffic = _traffic(problem.key, tracer.launches)
    reference = mha_output if problem.key == MHA.upper() else float64_output(problem, progress)
    allowed = allowed_rms_error(plain_output(problem, progress), reference)
    check = check_against(output.out, reference, allowed)
    cache_bytes = moved_bytes(row for row in traffic.traffic if row.tensor in _CACHE)
    decode = TracedDecode(
        key=problem.key,
        kv_heads=None if problem.attention.latent else problem.kv_heads,
        tokens=problem.tokens,
        splits=output.splits or 1,
        cache_bytes=cache_bytes,
        unique_cache_bytes=sum(row.unique_bytes for row in traffic.traffic if row.tensor in _CACHE),
        formula_bytes=decode_traffic(_call(problem, output)).cache,
        other_bytes=moved_bytes(traffic.traffic) - cache_bytes,
        flops=problem.tokens * attention_flops_per_key(problem.attention),
        max_abs_error=number_or_none(check.max_abs_error),
        rms_error=number_or_none(check.rms_error),
        allowed_rms_error=number_or_none(allowed),
        from_mha=None if problem.attention.latent else number_or_none(relative_rms(reference, mha_output)),
    )
    return Decoded(decode, traffic, problem, output.out, reference, allowed)


def mha_float64(mha: MhaInputs, attention: AttentionFacts, dtype: str, progress: ProgressCallback) -> torch.Tensor:
    """The output of MHA in float64, which the others are compared with."""
    return float64_output(grouped_problem(MHA.upper(), attention, mha, dtype), progress)


def _traffic(key: str, launches: list[Launch]) -> KernelTraffic:
    """The first kernel writes O and its log-sum-exp in parts, if there are several splits; the second merges them."""
    whole = KernelTraffic()
    for launch in launches:
        names = {**TENSOR_OF_ARGUMENT, "part_ptr": _PARTS, "part_lse_ptr": _PARTS_LSE}
        names |= {"k_scale_ptr": "scales", "v_scale_ptr": "scales"}
        if len(launches) > 1 and launch is launches[0]:
            names |= {"o_ptr": _PARTS, "lse_ptr": _PARTS_LSE}
        if key == MLA.upper():
            names["k_ptr"] = "latents"
        whole += kernel_traffic(key, [launch], names)
    return whole


def _call(problem: DecodeProblem, output: DecodeOutput) -> DecodeCall:
    assert output.tiling is not None
    group = problem.q.shape[1] // problem.kv_heads
    return DecodeCall(
        lengths=(problem.tokens,),
        heads=problem.q.shape[1],
        kv_heads=problem.kv_heads,
        key_dim=problem.q.shape[3],
        value_dim=problem.v.shape[3],
        q_bytes=problem.q.element_size(),
        kv_bytes=problem.k.element_size(),
        splits=output.splits or 1,
        row_tiles=output.tiling.row_tiles(group),
        block_kv=output.tiling.block_kv,
        v_in_k=problem.attention.latent is not None,
        scales=sum(scale is not None for scale in (problem.k_scale, problem.v_scale)),
        has_lengths=False,
    )
