"""The fused product of kernels/lora on a piece of this run's own weights: its bytes, its errors, its time."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from core.comparison import ERROR_FACTOR, comparison_table
from core.contracts.result import Metric, Provenance, Row
from core.contracts.result_builder import Draft
from core.engine.phases import in_parts
from core.engine.steps import ProgressCallback
from core.interpreter import Launch, intercept
from core.topics.lora.experiment.comparison import compare
from core.topics.lora.experiment.runs import Run
from core.topics.lora.params import LoraParams
from core.trace.kernel_traffic import kernel_tables
from core.trace.traffic import traffic
from kernels.lora.api import Impl, lora_linear, lora_linear_nf4, update_importance
from kernels.lora.inputs import MOST_RANK
from kernels.lora.reference import reference_importance, reference_lora_linear
from kernels.quantization.api import Impl as QuantizationImpl
from kernels.quantization.api import Quantized, quantize

TOKENS, MOST_SIDE = 128, 256
_NF4_BLOCKS = (64, 32, 16)
_TRACE_BUDGET_BYTES = 1 << 30
_VARIANTS = {"fused": Impl.TRITON, "fused nf4": Impl.TRITON, "unfused": Impl.TRITON_UNFUSED}


@dataclass(frozen=True)
class Piece:
    """x [tokens, in], W [out, in], A [rank, in], B [out, rank], bf16; `quantized` is W in NF4, None where its rows are
    not made of whole blocks."""

    x: torch.Tensor
    weight: torch.Tensor
    a: torch.Tensor
    b: torch.Tensor
    scaling: float
    quantized: Quantized | None

    def run(self, variant: str, impl: Impl) -> torch.Tensor:
        if variant == "fused nf4":
            assert self.quantized is not None
            return lora_linear_nf4(self.x, self.quantized, self.a, self.b, scaling=self.scaling, impl=impl)
        return lora_linear(self.x, self.weight, self.a, self.b, scaling=self.scaling, impl=impl)

    def reference(self, variant: str) -> torch.Tensor:
        weight = self.quantized if variant == "fused nf4" else self.weight
        assert weight is not None
        return reference_lora_linear(self.x, weight, self.a, self.b, scaling=self.scaling)

    @property
    def variants(self) -> tuple[str, ...]:
        return tuple(name for name in _VARIANTS if name != "fused nf4" or self.quantized is not None)


def add_kernels(draft: Draft, params: LoraParams, run: Run, name: str, device: str, progress: ProgressCallback) -> None:
    """'kernels', 'lines', 'sources', 'agreement', 'comparison' and '{variant}.*_bytes' of the matrix `name` of LoRA's
    run. Raises KernelError where a kernel cannot take what it is given."""
    in_turn = in_parts(progress, 3)
    if params.target_r > MOST_RANK:
        text = f"The kernels take ranks of 1 to {MOST_RANK}, so they were not run at rank {params.target_r}."
        draft.tables["messages"] = [*draft.tables.get("messages", []), {"severity": "notice", "text": text}]
        return
    piece = _piece(run, name, params)
    draft.tables.update({"kernels": [], "lines": [], "sources": [], "agreement": []})
    for done, variant in enumerate(piece.variants):
        in_turn(done, len(piece.variants), "tracing the kernels")
        _add_variant(draft, piece, variant)
    in_turn(0, 1, "comparing the importance update")
    draft.tables["agreement"].append(_importance_agreement(params))
    in_turn(0, 1, "timing the forward pass")
    draft.tables["comparison"] = comparison_table(compare(params, torch.device(device)))


def _piece(run: Run, name: str, params: LoraParams) -> Piece:
    """At most MOST_SIDE of the matrix's rows and columns, and as much of its trained A and B."""
    layer = run.model.base_model.model.get_submodule(name)
    a, b = layer.lora_A["default"].weight.detach(), layer.lora_B["default"].weight.detach()
    weight = layer.get_base_layer().weight.detach()
    if weight.shape != (b.shape[0], a.shape[1]):
        weight = weight.T  # GPT-2's Conv1D
    rows, columns = min(MOST_SIDE, weight.shape[0]), min(MOST_SIDE, weight.shape[1])
    weight, a, b = (
        part.to("cpu", torch.bfloat16).contiguous() for part in (weight[:rows, :columns], a[:, :columns], b[:rows])
    )
    x = torch.randn(TOKENS, columns, generator=torch.Generator().manual_seed(params.seed)).to(torch.bfloat16)
    block = next((size for size in _NF4_BLOCKS if columns % size == 0), None)
    quantized = quantize(weight, block_size=block, impl=QuantizationImpl.TORCH) if block else None
    return Piece(x, weight, a, b, float(layer.scaling["default"]), quantized)


def _add_variant(draft: Draft, piece: Piece, variant: str) -> None:
    with torch.no_grad(), intercept(memory_budget_bytes=_TRACE_BUDGET_BYTES) as tracer:
        out = piece.run(variant, _VARIANTS[variant])
    with torch.no_grad():
        rounded = piece.run(variant, Impl.TORCH)
    reference = piece.reference(variant)
    draft.tables["agreement"].append(_agreement_row(variant, "float64", out, reference, rounded))
    held = {piece.x.data_ptr(): "x", piece.weight.data_ptr(): "W", piece.a.data_ptr(): "A", piece.b.data_ptr(): "B"}
    held[out.data_ptr()] = "y"
    if piece.quantized is not None:
        held[piece.quantized.codes.data_ptr()] = "codes of W"
    rows: list[Row] = []
    for index, launch in enumerate(tracer.launches):
        names = {buffer.name: held.get(buffer.data_ptr, buffer.name) for buffer in launch.buffers}
        rows += _touched(variant, index, launch, names)
        found = kernel_tables(variant, [launch], names)
        draft.tables["lines"] += found["lines"]
        told = {(row["kernel"], row["function"]) for row in draft.tables["sources"]}
        draft.tables["sources"] += [row for row in found["sources"] if (row["kernel"], row["function"]) not in told]
    draft.tables["kernels"] += rows
    note = (
        f"{len(tracer.launches)} launches: {TOKENS} tokens, W {' x '.join(map(str, piece.weight.shape))}, rank "
        f"{len(piece.a)}, bf16"
    )
    for what in ("read_bytes", "written_bytes"):
        total = float(sum(row[what] for row in rows))
        draft.metrics[f"{variant.replace(' ', '_')}.{what}"] = Metric(total, "bytes", Provenance.TRACED, note)


def _touched(variant: str, index: int, launch: Launch, names: dict[str, str]) -> list[Row]:
    return [
        {
            "variant": variant,
            "function": launch.function,
            "launch": index,
            "tensor": names[buffer.name],
            "dtype": buffer.dtype,
            "elements": buffer.size_bytes // buffer.element_bytes,
            "read_bytes": counted.read_bytes,
            "written_bytes": counted.written_bytes,
            "unique_bytes": counted.unique_bytes,
        }
        for buffer, counted in zip(launch.buffers, traffic(launch).buffers, strict=True)
        if counted.unique_bytes
    ]


def _agreement_row(what: str, against: str, out: torch.Tensor, reference: torch.Tensor, rounded: torch.Tensor) -> Row:
    """Allowed are ERROR_FACTOR times what torch's own rounding costs."""
    error = float((out.double() - reference).abs().max())
    limit = ERROR_FACTOR * float((rounded.double() - reference).abs().max())
    return {"what": what, "against": against, "max_abs_error": error, "limit": limit, "passed": bool(error <= limit)}


def _importance_agreement(params: LoraParams) -> Row:
    generator = torch.Generator().manual_seed(params.seed)
    values, gradients = torch.randn(2, 4096, generator=generator)
    sensitivity, uncertainty = torch.rand(2, 4096, generator=generator)
    beta1, beta2 = params.beta1, params.beta2
    expected = torch.stack(reference_importance(values, gradients, sensitivity, uncertainty, beta1=beta1, beta2=beta2))
    by_torch = (sensitivity.clone(), uncertainty.clone())
    update_importance(values, gradients, *by_torch, beta1=beta1, beta2=beta2, impl=Impl.TORCH)
    with intercept():
        update_importance(values, gradients, sensitivity, uncertainty, beta1=beta1, beta2=beta2, impl=Impl.TRITON)
    return _agreement_row(
        "importance update", "float64", torch.stack((sensitivity, uncertainty)), expected, torch.stack(by_torch)
    )
