"""A result of the attention-heads topic, made by hand: every number is one that a run could give."""

from __future__ import annotations

import numpy as np

from core.comparison import ImplResult
from core.contracts.result import Metric, Provenance
from core.contracts.text import EMPTY, tr, verbatim
from core.topics.attention_heads.conversion_result import (
    ConversionResult,
    ConversionSetting,
    ConversionStudy,
    Grouping,
    all_settings,
)
from core.topics.attention_heads.params import AttentionHeadsParams
from core.topics.attention_heads.plan import Plan, plan
from core.topics.attention_heads.result import AttentionHeadsResult, MlaForms, TracedDecode, TracedPrefill

LAYERS, HEADS, HEAD_DIM = 4, 4, 32
BEFORE = 1.2
_ADDED = {4: 0.0, 2: 0.3, 1: 1.1}
_FACTORS = {Grouping.UNCHANGED: 0.0, Grouping.NEIGHBOURS: 1.0, Grouping.SIMILAR: 0.8, Grouping.RANDOM: 1.2}


def heads_result(params: AttentionHeadsParams | None = None, *, gpu: bool = False) -> AttentionHeadsResult:
    """A complete result of the parameters."""
    params = params or AttentionHeadsParams()
    planned = plan(params)
    return AttentionHeadsResult(
        params=params,
        metrics={"cache.per_token": Metric(float(planned.cache.per_token), "bytes", Provenance.MODELLED, EMPTY)},
        decodes=decodes(planned),
        prefill=TracedPrefill(planned.chosen.title, 1024, 40_000_000, 9_000_000, 9_000_000_000),
        mla=MlaForms(3e-15, 16, 512),
        comparison=implementations(gpu=gpu),
        study=study() if params.converts else None,
    )


def decodes(planned: Plan) -> tuple[TracedDecode, ...]:
    """The chosen attention first, then each other scheme once."""
    titles = dict.fromkeys(scheme.title for scheme in planned.schemes)
    return tuple(
        _decode(planned, title, next(s.kv_heads for s in planned.schemes if s.title == title)) for title in titles
    )


def _decode(planned: Plan, title: str, kv_heads: int | None) -> TracedDecode:
    tokens, attention = planned.params.traced_context, planned.attention
    elements = 576 if kv_heads is None else kv_heads * 2 * attention.head_dim
    cache = 2 * elements * tokens
    flops = 4 * attention.heads * attention.head_dim * tokens
    difference = None if kv_heads is None else 1.0 - kv_heads / attention.heads
    return TracedDecode(title, kv_heads, tokens, 8, cache, cache, 200_000, flops, 2e-3, 3e-4, 9e-4, difference)


def implementations(*, gpu: bool = False) -> tuple[ImplResult, ...]:
    """Triton, which is only emulated on a CPU, SDPA, and one that is not available."""
    samples = (0.031, 0.030, 0.033)
    triton = ImplResult(
        "triton", verbatim("Triton"), "cuda" if gpu else "emulated", max_abs_error=2e-3, rms_error=3e-4,
        allowed_rms_error=9e-4, passed=True, time_ms=0.031 if gpu else None, time_ms_samples=samples if gpu else (),
    )  # fmt: skip
    sdpa = ImplResult(
        "sdpa", verbatim("SDPA"), "cuda" if gpu else "cpu", time_ms=4.1, time_ms_samples=(4.1, 4.0, 4.3),
        max_abs_error=2e-3, rms_error=3e-4, allowed_rms_error=9e-4, passed=True,
    )  # fmt: skip
    flex = ImplResult("flex", verbatim("FlexAttention"), "unavailable", tr("PyTorch sees no GPU on this machine."))
    return triton, sdpa, flex


def study(settings: int | None = None, *, steps: int = 20, heads: int = HEADS) -> ConversionStudy:
    """The conversions of a small model; only the first `settings` of them while the study runs."""
    results = tuple(conversion(setting, steps, heads) for setting in all_settings(heads)[:settings])
    return ConversionStudy(
        model="small model", heads=heads, kv_heads=heads, kv_parameters=2 * LAYERS * heads * HEAD_DIM * 128,
        tokens=8192, loss_before=BEFORE, steps=steps, results=results,
    )  # fmt: skip


def conversion(setting: ConversionSetting, steps: int, heads: int = HEADS) -> ConversionResult:
    """One setting: fewer KV heads lose more, and tuning recovers most of it."""
    share = setting.kv_heads / heads
    error = _FACTORS[setting.grouping] * (1 - share)
    ramp = np.linspace(0.8, 1.2, LAYERS * heads, dtype=np.float32).reshape(LAYERS, heads)
    added = (_ADDED.get(setting.kv_heads, 0.5)) * _FACTORS[setting.grouping]
    group = np.arange(heads, dtype=np.int32) * setting.kv_heads // heads
    return ConversionResult(
        kv_heads=setting.kv_heads,
        grouping=setting.grouping,
        group_of_head=np.tile(group, (LAYERS, 1)),
        energy_lost=np.full(LAYERS, 0.4 * error, dtype=np.float32),
        head_error=(error * ramp).astype(np.float32),
        head_error_alone=(0.7 * error * ramp).astype(np.float32),
        loss_after=BEFORE + added,
        increase_stderr=0.01,
        loss_tuned=BEFORE + 0.1 * added - 0.02 if steps else None,
        tuned_increase_stderr=0.01 if steps else None,
        curve=np.linspace(BEFORE + added, BEFORE + 0.1 * added, steps, dtype=np.float32),
        kv_parameters=int(2 * LAYERS * heads * HEAD_DIM * 128 * share),
    )
