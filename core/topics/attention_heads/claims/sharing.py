"""Claims about shared KV heads: what they are, what they save in the cache and in decoding, and what they change."""

from __future__ import annotations

import math

from core.contracts.claims import Claim, Finding, Verdict
from core.contracts.text import Text, sentences, tr, verbatim
from core.format import quantity as quantity_of
from core.topics.attention_heads.result import AttentionHeadsResult, TracedDecode
from core.wording import missing, quantity

_NEARLY = 1e-9
_MHA, _MQA, _MLA = "MHA", "MQA", "MLA"


def shares_one_projection(result: AttentionHeadsResult) -> Finding:
    """Holds when MQA has MHA's query and output projections, and K and V projections of one head."""
    parts = ("query", "output", "key", "value")
    names = [f"{scheme}.{part}_parameters" for scheme in ("mha", "mqa") for part in parts]
    if untested := missing(result, *names, "model.heads", "model.parameters"):
        return untested
    heads = result.value("model.heads")

    def ratio(part: str) -> float:
        return result.value(f"mha.{part}_parameters") / result.value(f"mqa.{part}_parameters")

    same_queries = ratio("query") == ratio("output") == 1
    one_head = ratio("key") == ratio("value") == heads
    evidence = tr(
        "In {model}, the Q and output projections have {query} and {output} with MQA as with MHA. The K and V "
        "projections have {key} and {value} with MQA, and {times:.4g} times as many with MHA (modelled).",
        model=result.metrics["model.parameters"].note,
        query=quantity(result, "mqa.query_parameters"),
        output=quantity(result, "mqa.output_parameters"),
        key=quantity(result, "mqa.key_parameters"),
        value=quantity(result, "mqa.value_parameters"),
        times=ratio("key"),
    )
    if same_queries and one_head:
        return Finding(Verdict.HOLDS, evidence)
    if same_queries and ratio("key") > 1:
        uneven = tr("Not all layers of this model have {heads:.0f} heads.", heads=heads)
        return Finding(Verdict.HOLDS_WITH_LIMIT, sentences(evidence, uneven))
    return Finding(Verdict.DOES_NOT_HOLD, evidence)


def cache_shrinks(result: AttentionHeadsResult) -> Finding:
    """Holds when the cache of the shared attention is heads / kv_heads times smaller than MHA's; limited where a part
    of the cache is no K or V."""
    names = ("mha.cache_per_token", "mqa.cache_per_token", "model.heads", "cache.states", "model.parameters")
    if untested := missing(result, *names):
        return untested
    mha, mqa, heads = (result.value(name) for name in names[:3])
    evidence = tr(
        "Per token, the cache of {model} takes {mha} with MHA and {mqa} with MQA: {ratio:.4g} times less, with "
        "{heads:.0f} heads (modelled).",
        model=result.metrics["model.parameters"].note,
        mha=quantity(result, names[0]),
        mqa=quantity(result, names[1]),
        ratio=mha / mqa,
        heads=heads,
    )
    if result.value("cache.states"):
        states = tr(
            "Besides, layers without attention keep {states} per sequence, which do not shrink.",
            states=quantity(result, "cache.states"),
        )
        return Finding(Verdict.HOLDS_WITH_LIMIT, sentences(evidence, states))
    holds = abs(mha / mqa / heads - 1) < _NEARLY
    if holds:
        return Finding(Verdict.HOLDS, evidence)
    uneven = tr("Not all layers of this model have {heads:.0f} heads.", heads=heads)
    return Finding(Verdict.HOLDS_WITH_LIMIT if mha > mqa else Verdict.DOES_NOT_HOLD, sentences(evidence, uneven))


def decodes_faster(result: AttentionHeadsResult) -> Finding:
    """Limited when the traced bytes of the cache shrink by the group size: the weights are read as well."""
    mha, shared = result.decode(_MHA), shared_decode(result)
    if mha is None or shared is None or shared.kv_heads is None:
        return Finding(Verdict.NOT_TESTED, tr("The decode kernel did not run with MHA and with shared heads."))
    scheme = shared.key.lower()
    if untested := missing(result, "gpu.ridge", "mha.tokens_per_second_high"):
        return untested
    group = (mha.kv_heads or 0) / shared.kv_heads
    ratio = mha.cache_bytes / shared.cache_bytes
    evidence = tr(
        "At {tokens:,} tokens, the decode kernel reads {mha} of K and V with MHA and {shared} with {scheme}: "
        "{ratio:.4g} times less (traced). Its {intensity:.3g} FLOP/B are below the {ridge:.3g} FLOP/B from which the "
        "{gpu} is compute-bound.",
        tokens=mha.tokens,
        mha=quantity_of(mha.cache_bytes, "bytes"),
        shared=quantity_of(shared.cache_bytes, "bytes"),
        scheme=verbatim(shared.key),
        ratio=ratio,
        intensity=shared.intensity,
        ridge=result.value("gpu.ridge"),
        gpu=result.metrics["gpu.ridge"].note,
    )
    evidence = sentences(evidence, *_times(result, scheme), *_paper_table(result, "time_s"))
    if abs(ratio / group - 1) > _NEARLY or shared.intensity >= result.value("gpu.ridge"):
        return Finding(Verdict.DOES_NOT_HOLD, evidence)
    return Finding(Verdict.HOLDS_WITH_LIMIT, sentences(evidence, *_whole_step(result, scheme)))


def shared_decode(result: AttentionHeadsResult) -> TracedDecode | None:
    """The first traced attention whose heads share K and V: the chosen one, if it does."""
    mha = result.decode(_MHA)
    return next(
        (
            each
            for each in result.decodes
            if each.kv_heads is not None and mha is not None and each.kv_heads != mha.kv_heads
        ),
        None,
    )


def _times(result: AttentionHeadsResult, scheme: str) -> tuple[Text, ...]:
    names = ("decode.mha.time_ms", f"decode.{scheme}.time_ms")
    if any(name not in result.metrics for name in names):
        return ()
    mha, shared = (result.value(name) for name in names)
    return (
        tr(
            "On the {device} the kernel takes {mha} and {shared}, {ratio:.3g} times less (measured, median).",
            device=result.environment.device,
            mha=quantity(result, names[0]),
            shared=quantity(result, names[1]),
            ratio=mha / shared,
        ),
    )


def _paper_table(result: AttentionHeadsResult, part: str) -> tuple[Text, ...]:
    """What the GQA paper reports: 'time_s' or 'score'."""
    names = [f"paper.{scheme}.{part}" for scheme in ("mha", "gqa-8", "mqa")]
    if any(name not in result.metrics for name in names):
        return ()
    mha, gqa, mqa = map(result.value, names)
    if part == "time_s":
        return (
            tr(
                "In the GQA paper, T5-XXL takes {mha:.2f} s per sample with MHA, {gqa:.2f} s with GQA-8 and {mqa:.2f} "
                "s with MQA (recorded).",
                mha=mha,
                gqa=gqa,
                mqa=mqa,
            ),
        )
    return (
        tr(
            "In the GQA paper, the average score of T5-XXL is {mha:.1f} with MHA, {gqa:.1f} with GQA-8 and {mqa:.1f} "
            "with MQA (recorded).",
            mha=mha,
            gqa=gqa,
            mqa=mqa,
        ),
    )


def _whole_step(result: AttentionHeadsResult, scheme: str) -> tuple[Text, ...]:
    name = f"{scheme}.tokens_per_second_high"
    if name not in result.metrics:
        name = "step.tokens_per_second_high"
    params = result.params
    gain = result.value(name) / result.value("mha.tokens_per_second_high")
    return (
        tr(
            "A whole step reads the weights too: at batch {batch:,} and a context of {context:,} it becomes {gain:.3g} "
            "times as fast (modelled).",
            batch=params.batch,
            context=params.context,
            gain=gain,
        ),
    )


def outputs_equal(result: AttentionHeadsResult) -> Finding:
    """It would hold if the pooled heads gave MHA's output up to rounding."""
    shared = shared_decode(result)
    if shared is None or shared.from_mha is None:
        return Finding(Verdict.NOT_TESTED, tr("The decode kernel did not run with MHA and with shared heads."))
    evidence = tr(
        "With random heads mean-pooled to {scheme}, the output differs from MHA's by {share:.1%} of its RMS (measured "
        "in float64).",
        scheme=verbatim(shared.key),
        share=shared.from_mha,
    )
    study = result.study
    if study is not None and study.results and study.loss_before is not None:
        largest = max(study.results, key=lambda each: each.loss_after or -math.inf)
        if largest.loss_after is not None:
            trained = tr(
                "With kv_heads = {kv_heads} instead of {heads}, the loss of {model} on held-out text goes "
                "from {before:.3f} to {after:.3f} nats per token (measured).",
                kv_heads=largest.kv_heads,
                heads=study.kv_heads,
                model=study.model,
                before=study.loss_before,
                after=largest.loss_after,
            )
            evidence = sentences(evidence, trained)
    evidence = sentences(evidence, *_paper_table(result, "score"))
    equal = shared.from_mha < 1e-6
    return Finding(Verdict.HOLDS if equal else Verdict.DOES_NOT_HOLD, evidence)


def read_once_per_group(result: AttentionHeadsResult) -> Finding:
    """Holds when the decode kernel reads no byte of the cache twice; limited where a group needs several tiles."""
    if not result.decodes:
        return Finding(Verdict.NOT_TESTED, tr("The decode kernel did not run."))
    decode = result.decodes[0]
    evidence = tr(
        "With {scheme} at {tokens:,} tokens, the kernel reads {read} of the cache, {unique} of them distinct, and the "
        "closed formula gives {formula} (traced).",
        scheme=verbatim(decode.key),
        tokens=decode.tokens,
        read=quantity_of(decode.cache_bytes, "bytes", 6),
        unique=quantity_of(decode.unique_cache_bytes, "bytes", 6),
        formula=quantity_of(decode.formula_bytes, "bytes", 6),
    )
    if decode.cache_bytes != decode.formula_bytes:
        return Finding(Verdict.DOES_NOT_HOLD, evidence)
    if decode.cache_bytes == decode.unique_cache_bytes:
        return Finding(Verdict.HOLDS, evidence)
    tiles = decode.cache_bytes / decode.unique_cache_bytes
    limit = tr(
        "One tile does not hold all query heads of a group, so {tiles:.0f} tiles read it, each once.", tiles=tiles
    )
    return Finding(Verdict.HOLDS_WITH_LIMIT, sentences(evidence, limit))


CLAIMS = (
    Claim(
        id="mqa-shares-k-and-v",
        statement=tr(
            "MQA differs from MHA only in that all heads share one K and one V projection, while each keeps its own Q."
        ),
        source=tr("Shazeer 2019 (arXiv 1911.02150), section 3"),
        test=shares_one_projection,
    ),
    Claim(
        id="cache-shrinks-by-the-group",
        statement=tr("The KV cache shrinks by the factor heads / kv_heads."),
        source=tr("Ainslie et al. 2023 (arXiv 2305.13245), section 2.2"),
        test=cache_shrinks,
    ),
    Claim(
        id="decode-gains-nearly-the-group",
        statement=tr("Decoding is memory-bound, so shared heads speed it up by nearly the factor heads / kv_heads."),
        source=tr("Shazeer 2019 (arXiv 1911.02150), section 3.1"),
        test=decodes_faster,
        expected=Verdict.HOLDS_WITH_LIMIT,
    ),
    Claim(
        id="each-byte-once-per-group",
        statement=tr("A decode kernel needs to read each byte of K and V only once per group, not once per head."),
        source=tr("Ainslie et al. 2023 (arXiv 2305.13245), section 2.2; Shazeer 2019 (arXiv 1911.02150), section 3.1"),
        test=read_once_per_group,
    ),
    Claim(
        id="outputs-equal-mha",
        statement=tr("GQA and MQA give the same outputs as MHA: only the redundant heads go."),
        source=tr("Often taught; corrected by Ainslie et al. 2023 (arXiv 2305.13245), table 1"),
        test=outputs_equal,
        expected=Verdict.DOES_NOT_HOLD,
    ),
)
