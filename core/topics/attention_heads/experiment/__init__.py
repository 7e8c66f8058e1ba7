"""The experiment of the attention-heads page: one layer's decode and prefill traced, and a model's heads converted.

Everything is of one layer, one sequence, and at most as many tokens as the layer's window holds. On a CPU the TTIR
interpreter executes the kernels, which gives outputs and traffic but no times; on a GPU they run and are timed as well.
Sizes that a kernel does not support become a message, and the rest goes on.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, TypeVar

from core.contracts.errors import InvalidParams
from core.contracts.events import Partial, Progress
from core.contracts.result import Message
from core.contracts.result_builder import ResultBuilder
from core.contracts.text import Text, tr, verbatim
from core.contracts.topic import ExperimentRun
from core.engine.phases import phase
from core.engine.steps import ProgressCallback
from core.language_model.adapters import NonFiniteLoss
from core.model_configs import AttentionFacts
from core.model_configs.cache import cached_tokens
from core.topics.attention_heads.experiment import metrics, run_metrics
from core.topics.attention_heads.experiment.converting import convert
from core.topics.attention_heads.experiment.decodes import (
    Decoded,
    attentions,
    make_problem,
    mha_float64,
    trace_decode,
)
from core.topics.attention_heads.experiment.implementations import comparison_of
from core.topics.attention_heads.experiment.inputs import MhaInputs, draw_mha
from core.topics.attention_heads.experiment.latent_forms import compare_forms
from core.topics.attention_heads.experiment.prefill import trace_prefill
from core.topics.attention_heads.params import AttentionHeadsParams
from core.topics.attention_heads.plan import Plan, plan
from core.topics.attention_heads.result import AttentionHeadsResult, TracedPrefill
from core.trace.kernel_traffic import KernelTraffic
from core.wording import NOT_TRACED, reason_of
from kernels.attention.decode import DecodeImpl
from kernels.errors import KernelError
from kernels.launching import has_triton

Builder = ResultBuilder[AttentionHeadsResult]
T = TypeVar("T")
_DRAWN, _DECODED, _PREFILLED, _COMPARED = 0.10, 0.65, 0.75, 1.0
_KERNELS_SHARE_WITH_CONVERSION = 0.2


def run(params: AttentionHeadsParams, device: str) -> ExperimentRun:
    """Yields a Partial after each decode, after the prefill and the comparison, and while heads are converted.

    Raises InvalidParams for params without a plan, and for a model folder or text that cannot be used.
    """
    planned = plan(params)
    if planned.problem:
        raise InvalidParams(planned.problem, planned.blames)
    builder = Builder(AttentionHeadsResult(params=params))
    builder.add(metrics.modelled_metrics(planned) | metrics.recorded_metrics())
    share = _KERNELS_SHARE_WITH_CONVERSION if params.converts else 1.0
    yield from _run_kernels(builder, planned, device, share)
    if params.converts:
        yield from _convert(builder, params, share)
    return builder.result


def _run_kernels(
    builder: Builder, planned: Plan, device: str, share: float
) -> Generator[Progress | Partial, None, None]:
    """Everything of one layer, as the part of the run up to `share`."""
    params = planned.params
    by_title = attentions(params, planned.original)
    key, chosen = next(iter(by_title.items()))
    tokens = cached_tokens(chosen, params.traced_context)
    _explain_inputs(builder, params, tokens)
    mha = yield from phase(
        0.0,
        _DRAWN * share,
        lambda progress: draw_mha(by_title["MHA"], tokens, params.traced_dtype, params.seed, device, progress),
    )
    first: Decoded | None = None
    if has_triton():
        first = yield from _trace_decodes(builder, params, by_title, mha, device, share)
        yield from _trace_prefills(builder, {key: chosen, "MHA": by_title["MHA"]}, mha, share)
    else:
        builder.add(messages=(*builder.result.messages, Message("warning", NOT_TRACED)))
    del mha
    mla = yield from phase(
        _PREFILLED * share,
        _PREFILLED * share,
        lambda progress: compare_forms(by_title["MLA"], params.seed, progress),
    )
    builder.add(run_metrics.mla_metrics(mla), mla=mla)
    if first is not None:
        yield from _compare(builder, first, share)
    yield Partial(builder.result)


def _trace_decodes(
    builder: Builder,
    params: AttentionHeadsParams,
    by_title: dict[str, AttentionFacts],
    mha: MhaInputs,
    device: str,
    share: float,
) -> Generator[Progress | Partial, None, Decoded | None]:
    """Trace each attention. Returns the chosen one's, if its kernel could run; the others are freed one by one."""
    start, end = _DRAWN * share, _DECODED * share
    part = (end - start) / (len(by_title) + 1)
    mha_output = yield from phase(
        start, start + part, lambda progress: mha_float64(mha, by_title["MHA"], params.traced_dtype, progress)
    )
    first: Decoded | None = None
    for number, (key, attention) in enumerate(by_title.items()):
        start += part

        def work(progress: ProgressCallback, key: str = key, attention: AttentionFacts = attention) -> Decoded:
            problem = make_problem(key, attention, mha, params, device)
            return trace_decode(problem, mha_output, progress)

        decoded = yield from _unless_unsupported(builder, key, phase(start, start + part, work))
        if decoded is None:
            continue
        result, traffic = builder.result, decoded.traffic
        builder.add(
            run_metrics.decode_metrics(decoded.decode, device),
            decodes=(*result.decodes, decoded.decode),
            **_added(result, traffic),
        )
        if device == "cuda":
            yield from _time_decode(builder, decoded, start + part)
        if number == 0:
            first = decoded
        yield Partial(builder.result)
    return first


def _time_decode(builder: Builder, decoded: Decoded, done: float) -> Generator[Progress, None, None]:
    """The time of the Triton kernels, on a GPU."""
    comparison = comparison_of(decoded, (DecodeImpl.TRITON,))
    checked = comparison.check()
    (result,) = yield from phase(done, done, lambda progress: comparison.time(checked, progress))
    builder.add(run_metrics.decode_time(decoded.decode.key, result))


def _trace_prefills(
    builder: Builder, by_title: dict[str, AttentionFacts], mha: MhaInputs, share: float
) -> Generator[Progress | Partial, None, None]:
    """Trace a prompt with the chosen attention, which comes first, and with MHA."""
    start, part = _DECODED * share, (_PREFILLED - _DECODED) * share / len(by_title)
    found: list[TracedPrefill] = []
    for title, attention in by_title.items():
        kernel = f"prefill {title}" if found else "prefill"

        def work(
            progress: ProgressCallback, title: str = title, attention: AttentionFacts = attention, kernel: str = kernel
        ) -> tuple[TracedPrefill, KernelTraffic]:
            return trace_prefill(title, attention, mha, kernel, progress)

        outcome = yield from _unless_unsupported(builder, verbatim("Prefill"), phase(start, start + part, work))
        start += part
        if outcome is None:
            return
        prefill, traffic = outcome
        if not found:
            builder.add(prefill=prefill, **_added(builder.result, traffic))
        found.append(prefill)
    builder.add(run_metrics.prefill_metrics(found[0], found[-1]))
    yield Partial(builder.result)


def _compare(builder: Builder, decoded: Decoded, share: float) -> Generator[Progress | Partial, None, None]:
    comparison = comparison_of(decoded)
    middle = (_PREFILLED + _COMPARED) / 2 * share
    checked = yield from phase(_PREFILLED * share, middle, comparison.check)
    results = yield from phase(middle, _COMPARED * share, lambda progress: comparison.time(checked, progress))
    builder.add(run_metrics.comparison_metrics(results), comparison=results)


def _convert(builder: Builder, params: AttentionHeadsParams, share: float) -> Generator[Progress | Partial, None, None]:
    """Live: the study grows by one conversion per Partial. A tuning that diverges ends it with a message."""
    try:
        for step in convert(params, share, 1.0):
            if isinstance(step, Progress):
                yield step
            else:
                builder.add(run_metrics.conversion_metrics(step), study=step)
                yield Partial(builder.result)
    except NonFiniteLoss as error:
        builder.add(messages=(*builder.result.messages, Message("warning", error.text)))


def _unless_unsupported(
    builder: Builder, name: Text | str, steps: Generator[Progress, None, T]
) -> Generator[Progress, None, T | None]:
    """The outcome of `steps`; None, with a message, if a kernel refuses the sizes or cannot run here."""
    try:
        outcome = yield from steps
    except KernelError as error:
        _notice(builder, tr("{name} is not traced: {reason}", name=name, reason=reason_of(error)))
        return None
    return outcome


def _added(result: AttentionHeadsResult, traffic: KernelTraffic) -> dict[str, Any]:
    return {
        "traffic": (*result.traffic, *traffic.traffic),
        "lines": (*result.lines, *traffic.lines),
        "sources": (*result.sources, *traffic.sources),
    }


def _explain_inputs(builder: Builder, params: AttentionHeadsParams, tokens: int) -> None:
    if tokens < params.traced_context:
        _notice(
            builder,
            tr(
                "The run traces {tokens:,} tokens instead of {asked:,}: most attention layers of this model see no "
                "more at a time.",
                tokens=tokens,
                asked=params.traced_context,
            ),
        )
    if params.cache_dtype == "int4":
        _notice(builder, tr("The run traces a cache in bf16: no kernel here reads int4."))


def _notice(builder: Builder, text: Text) -> None:
    builder.add(messages=(*builder.result.messages, Message("notice", text)))
