"""The fused LoRA kernel on part of this run's trained weights: memory traffic, errors and time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch

from core.comparison import ERROR_FACTOR, ErrorCheck
from core.contracts.result import KernelSource, Metric, Provenance
from core.contracts.text import EMPTY, Text, tr, tr_plural, verbatim
from core.engine.phases import in_parts
from core.engine.steps import ProgressCallback
from core.hardware.compare import Comparison, Implementation, allowed_rms_error, checked
from core.interpreter import Launch, intercept
from core.topics.lora.experiment.runs import Run
from core.topics.lora.experiment.summary import Builder
from core.topics.lora.params import LoraParams
from core.topics.lora.result import LaunchTraffic, LoraImplResult
from core.trace.kernel_traffic import KernelTraffic, kernel_traffic
from core.trace.traffic import traffic
from core.wording import reason_of
from kernels.lora.api import Impl, available, lora_linear, lora_linear_nf4, update_importance
from kernels.lora.inputs import MAX_RANK
from kernels.lora.reference import reference_importance, reference_lora_linear
from kernels.quantization.api import Impl as QuantizationImpl
from kernels.quantization.api import Quantized, quantize

TOKENS, MAX_SIDE = 128, 256
_NF4_BLOCKS = (64, 32, 16)
_TRACE_BUDGET_BYTES = 1 << 30
_VARIANTS = {"fused": Impl.TRITON, "fused nf4": Impl.TRITON, "unfused": Impl.TRITON_UNFUSED}
_VARIANT_LABELS = {"fused": tr("fused"), "fused nf4": tr("fused NF4"), "unfused": tr("unfused")}
_LABELS = {
    "triton": (tr("fused (Triton)"), Impl.TRITON),
    "torch": (tr("PyTorch, two products"), Impl.TORCH),
    "peft": (tr("PEFT, unfused"), Impl.PEFT),
}
_ON_GPU, _ON_CPU = (8192, 4096, 4096, 16), (512, 1024, 1024, 16)


@dataclass(frozen=True)
class MatrixPiece:
    """x [tokens, in], W [out, in], A [rank, in] and B [out, rank] in bf16. `quantized` is W in NF4, None if its rows do
    not consist of whole blocks."""

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
    def names(self) -> dict[int, str]:
        """The names of its tensors, by address."""
        names = {self.x.data_ptr(): "x", self.weight.data_ptr(): "W", self.a.data_ptr(): "A", self.b.data_ptr(): "B"}
        return names if self.quantized is None else names | {self.quantized.codes.data_ptr(): "codes of W"}

    @property
    def variants(self) -> tuple[str, ...]:
        return tuple(name for name in _VARIANTS if name != "fused nf4" or self.quantized is not None)


def add_kernels(
    builder: Builder, params: LoraParams, run: Run, name: str, device: str, progress: ProgressCallback
) -> None:
    """Add the traced metrics '{variant}.*_bytes', 'agreement' and 'comparison' for the matrix `name` of LoRA's run.

    Raises KernelError if a kernel does not accept its inputs.
    """
    part_progress = in_parts(progress, 3)
    if params.target_r > MAX_RANK:
        text = tr(
            "The kernels support ranks of 1 to {largest}, so they were not run with rank {rank}.",
            largest=MAX_RANK,
            rank=params.target_r,
        )
        builder.add_message("notice", text)
        return
    piece = _piece(run, name, params)
    for done, variant in enumerate(piece.variants):
        part_progress(done, len(piece.variants), tr("tracing the kernels"))
        _add_variant(builder, piece, variant)
    part_progress(0, 1, tr("comparing the importance update"))
    builder.add(agreement=(*builder.result.agreement, _importance_agreement(params)))
    part_progress(0, 1, tr("timing the forward pass"))
    builder.add(comparison=_compare(params, torch.device(device)))


def _piece(run: Run, name: str, params: LoraParams) -> MatrixPiece:
    """At most MAX_SIDE rows and columns of the matrix, with the matching parts of its trained A and B."""
    layer = run.model.base_model.model.get_submodule(name)
    a, b = layer.lora_A["default"].weight.detach(), layer.lora_B["default"].weight.detach()
    weight = layer.get_base_layer().weight.detach()
    if weight.shape != (b.shape[0], a.shape[1]):
        weight = weight.T  # GPT-2's Conv1D
    rows, columns = min(MAX_SIDE, weight.shape[0]), min(MAX_SIDE, weight.shape[1])
    weight, a, b = (
        part.to("cpu", torch.bfloat16).contiguous() for part in (weight[:rows, :columns], a[:, :columns], b[:rows])
    )
    x = torch.randn(TOKENS, columns, generator=torch.Generator().manual_seed(params.seed)).to(torch.bfloat16)
    block = next((size for size in _NF4_BLOCKS if columns % size == 0), None)
    quantized = quantize(weight, block_size=block, impl=QuantizationImpl.TORCH) if block else None
    return MatrixPiece(x, weight, a, b, float(layer.scaling["default"]), quantized)


def _add_variant(builder: Builder, piece: MatrixPiece, variant: str) -> None:
    with torch.no_grad(), intercept(memory_budget_bytes=_TRACE_BUDGET_BYTES) as tracer:
        out = piece.run(variant, _VARIANTS[variant])
    with torch.no_grad():
        rounded = piece.run(variant, Impl.TORCH)
    agreement = _agreement(_VARIANT_LABELS[variant], out, piece.reference(variant), rounded)
    names = piece.names | {out.data_ptr(): "y"}
    launches: list[LaunchTraffic] = []
    total_traffic = KernelTraffic()
    for index, launch in enumerate(tracer.launches):
        tensor_of = {buffer.name: names.get(buffer.data_ptr, buffer.name) for buffer in launch.buffers}
        launches += _launch_traffic(variant, index, launch, tensor_of)
        total_traffic += kernel_traffic(variant, [launch], tensor_of)
    note = tr_plural(
        "{count} launch: {tokens} tokens, W {shape}, rank {rank}, bf16",
        "{count} launches: {tokens} tokens, W {shape}, rank {rank}, bf16",
        count=len(tracer.launches),
        tokens=TOKENS,
        shape=" x ".join(map(str, piece.weight.shape)),
        rank=len(piece.a),
    )
    sources: dict[str, KernelSource] = {}
    for source in total_traffic.sources:
        sources.setdefault(source.function, source)
    prefix = variant.replace(" ", "_")
    read = float(sum(row.read_bytes for row in launches))
    written = float(sum(row.written_bytes for row in launches))
    before = builder.result
    builder.add(
        {
            f"{prefix}.read_bytes": Metric(read, "bytes", Provenance.TRACED, note),
            f"{prefix}.written_bytes": Metric(written, "bytes", Provenance.TRACED, note),
        },
        launches=(*before.launches, *launches),
        lines=(*before.lines, *total_traffic.lines),
        sources=(*before.sources, *sources.values()),
        agreement=(*before.agreement, agreement),
    )


def _launch_traffic(variant: str, index: int, launch: Launch, tensor_of: dict[str, str]) -> list[LaunchTraffic]:
    return [
        LaunchTraffic(
            variant,
            launch.function,
            tensor_of[buffer.name],
            buffer_traffic.read_bytes,
            buffer_traffic.written_bytes,
            buffer_traffic.unique_bytes,
            launch=index,
            dtype=buffer.dtype,
            elements=buffer.size_bytes // buffer.element_bytes,
        )
        for buffer, buffer_traffic in zip(launch.buffers, traffic(launch).buffers, strict=True)
        if buffer_traffic.unique_bytes
    ]


def _agreement(what: Text, out: torch.Tensor, reference: torch.Tensor, rounded: torch.Tensor) -> ErrorCheck:
    """The allowed error is ERROR_FACTOR times torch's own rounding error."""
    error = float((out.double() - reference).abs().max())
    limit = ERROR_FACTOR * float((rounded.double() - reference).abs().max())
    return ErrorCheck(what, verbatim("float64"), error, limit, bool(error <= limit))


def _importance_agreement(params: LoraParams) -> ErrorCheck:
    generator = torch.Generator().manual_seed(params.seed)
    values, gradients = torch.randn(2, 4096, generator=generator)
    sensitivity, uncertainty = torch.rand(2, 4096, generator=generator)
    beta1, beta2 = params.beta1, params.beta2
    expected = torch.stack(reference_importance(values, gradients, sensitivity, uncertainty, beta1=beta1, beta2=beta2))
    torch_output = (sensitivity.clone(), uncertainty.clone())
    update_importance(values, gradients, *torch_output, beta1=beta1, beta2=beta2, impl=Impl.TORCH)
    with intercept():
        update_importance(values, gradients, sensitivity, uncertainty, beta1=beta1, beta2=beta2, impl=Impl.TRITON)
    return _agreement(
        tr("importance update"), torch.stack((sensitivity, uncertainty)), expected, torch.stack(torch_output)
    )


def _compare(params: LoraParams, device: torch.device) -> tuple[LoraImplResult, ...]:
    """Check and then time the forward pass on the device itself. Emulated kernels are never timed."""
    tokens, out_features, in_features, rank = _ON_GPU if device.type == "cuda" else _ON_CPU
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    generator = torch.Generator().manual_seed(params.seed)
    x, weight, a, b = (
        (torch.randn(*shape, generator=generator) / shape[-1] ** 0.5).to(device, dtype)
        for shape in ((tokens, in_features), (out_features, in_features), (rank, in_features), (out_features, rank))
    )
    reference = reference_lora_linear(x, weight, a, b, scaling=2.0)
    forward = partial(lora_linear, x, weight, a, b, scaling=2.0)

    def implementation(name: str, label: Text, impl: Impl) -> Implementation[LoraImplResult]:
        unavailable = available(impl, str(device))
        reason = reason_of(unavailable) if unavailable else EMPTY
        result = LoraImplResult(name, label, reason=reason, tokens=tokens, width=in_features, rank=rank)
        return Implementation(result, None if unavailable else partial(forward, impl=impl))

    with torch.no_grad():
        allowed = allowed_rms_error(forward(impl=Impl.TORCH), reference)
        comparison = Comparison(
            tuple(implementation(name, label, impl) for name, (label, impl) in _LABELS.items()),
            lambda result, out: checked(result, out, reference, allowed),
            device,
            flops=2.0 * tokens * (in_features * out_features + rank * (in_features + out_features)),
        )
        return comparison.time(comparison.check())
