"""Metrics of what a run traced and measured."""

from __future__ import annotations

import math
from collections.abc import Iterable

from core.comparison import ImplResult, error_metrics, time_metrics
from core.contracts.result import Metric, Provenance
from core.contracts.text import EMPTY, Text, tr
from core.topics.attention_heads.conversion_result import ConversionStudy
from core.topics.attention_heads.result import MlaForms, TracedDecode, TracedPrefill

Metrics = dict[str, Metric]


def decode_metrics(decode: TracedDecode, device: str) -> Metrics:
    """Bytes and errors of one attention."""
    name = f"decode.{decode.key.lower()}"
    note = tr("one layer, one sequence of {tokens:,} tokens", tokens=decode.tokens)
    measured = Provenance.MEASURED if device == "cuda" else Provenance.MEASURED_CPU
    found = {
        f"{name}.cache_bytes": _traced(decode.cache_bytes, "bytes", note),
        f"{name}.bytes": _traced(decode.bytes, "bytes", note),
        f"{name}.intensity": _traced(decode.intensity, "FLOP/B", tr("FLOPs by formula over traced bytes")),
        f"{name}.rms_error": _traced(_number(decode.rms_error), "", tr("against float64")),
        f"{name}.allowed_rms_error": Metric(
            _number(decode.allowed_rms_error),
            "",
            measured,
            tr("three times the RMS error of PyTorch's plain attention in this precision"),
        ),
    }
    if decode.from_mha is not None:
        note = tr("RMS relative to MHA's output, in float64, on random heads")
        found[f"{name}.from_mha"] = Metric(decode.from_mha, "", measured, note)
    return found


def decode_time(key: str, result: ImplResult) -> Metrics:
    """The time of the Triton kernels on a GPU."""
    return time_metrics(f"decode.{key.lower()}", result)


def prefill_metrics(chosen: TracedPrefill, mha: TracedPrefill) -> Metrics:
    """A prompt with the chosen attention, and with MHA."""
    note = tr("one layer, one sequence of {tokens:,} tokens", tokens=chosen.tokens)
    return {
        "prefill.requested_bytes": _traced(chosen.requested_bytes, "bytes", note),
        "prefill.once_bytes": _traced(chosen.once_bytes, "bytes", tr("Q, K, V and O once each")),
        "prefill.tile_flops": _traced(chosen.flops, "FLOP", note),
        "prefill.mha.tile_flops": _traced(mha.flops, "FLOP", note),
        "prefill.mha.once_bytes": _traced(mha.once_bytes, "bytes", tr("Q, K, V and O once each")),
    }


def mla_metrics(forms: MlaForms) -> Metrics:
    note = tr(
        "largest difference over largest output, float64, {heads} heads, {tokens} tokens",
        heads=forms.heads,
        tokens=forms.tokens,
    )
    return {"mla.difference": Metric(forms.difference, "", Provenance.MEASURED_CPU, note)}


def comparison_metrics(results: Iterable[ImplResult]) -> Metrics:
    """Errors and times of each implementation of decode."""
    found: Metrics = {}
    for result in results:
        found |= error_metrics(result.impl, result, tr("against float64"))
        found |= time_metrics(result.impl, result)
    return found


def conversion_metrics(study: ConversionStudy) -> Metrics:
    """Held-out losses before, right after, and after tuning."""
    found: Metrics = {}
    if study.loss_before is not None:
        found["conversion.loss_before"] = _loss(study.loss_before, tr("held-out text"))
    for result in study.results:
        name = f"conversion.{result.kv_heads}.{result.grouping.value}"
        if result.loss_after is not None:
            found[f"{name}.loss_after"] = _loss(result.loss_after, tr("right after pooling"))
        if result.loss_tuned is not None:
            found[f"{name}.loss_tuned"] = _loss(result.loss_tuned, tr("after {steps} steps", steps=study.steps))
    return found


def _loss(value: float, note: Text) -> Metric:
    return Metric(value, "nats", Provenance.MEASURED_CPU, note)


def _traced(value: float, unit: str, note: Text = EMPTY) -> Metric:
    return Metric(float(value), unit, Provenance.TRACED, note)


def _number(value: float | None) -> float:
    return math.nan if value is None else value
