"""Claims about compute: what shared heads save in prefill and in training, and what batching changes."""

from __future__ import annotations

from core.contracts.claims import Claim, Finding, Verdict
from core.contracts.text import sentences, tr, verbatim
from core.topics.attention_heads.claims.sharing import shared_decode
from core.topics.attention_heads.decode_step import LARGE_BATCH
from core.topics.attention_heads.result import AttentionHeadsResult
from core.wording import missing, quantity

_NEARLY = 1e-9


def saves_prefill_compute(result: AttentionHeadsResult) -> Finding:
    """It would hold if the flash kernel did fewer FLOPs with shared heads than with MHA."""
    prefill = result.prefill
    names = ("prefill.tile_flops", "prefill.mha.tile_flops", "mha.parameters", "model.parameters")
    if prefill is None:
        return Finding(Verdict.NOT_TESTED, tr("The flash kernel does not support the head dimension of this model."))
    if untested := missing(result, *names):
        return untested
    if prefill.key == "MHA":
        return Finding(Verdict.NOT_TESTED, tr("The chosen attention is MHA itself: choose GQA or MQA."))
    shared, mha = result.value(names[0]), result.value(names[1])
    saved = 1 - result.value("model.parameters") / result.value("mha.parameters")
    evidence = tr(
        "For a prompt of {tokens:,} tokens, the tiles of the flash kernel take {shared} with {scheme} and {mha} with "
        "MHA (traced): every query head still meets every key. Only the K and V projections are smaller, by "
        "{saved:.1%} of all parameters of the model (modelled).",
        tokens=prefill.tokens,
        shared=quantity(result, names[0]),
        scheme=verbatim(prefill.key),
        mha=quantity(result, names[1]),
        saved=saved,
    )
    return Finding(Verdict.HOLDS if shared < mha else Verdict.DOES_NOT_HOLD, evidence)


def speeds_up_training(result: AttentionHeadsResult) -> Finding:
    """Limited when MQA saves some FLOPs of training, but fewer than a third."""
    name = "training.mqa_flops_share"
    if untested := missing(result, name):
        return untested
    share = result.value(name)
    evidence = tr(
        "MQA saves {share:.1%} of the FLOPs of training this model with MHA at sequences of {context:,} tokens: those "
        "of the K and V projections (modelled, 6 FLOPs per parameter and token, and attention). Training processes all "
        "positions at once, so it does not read a cache for each token.",
        share=share / 100,
        context=result.params.context,
    )
    if share <= 0:
        return Finding(Verdict.DOES_NOT_HOLD, evidence)
    return Finding(Verdict.HOLDS if share > 100 / 3 else Verdict.HOLDS_WITH_LIMIT, evidence)


def batching_makes_it_compute_bound(result: AttentionHeadsResult) -> Finding:
    """It would hold if the intensity of decode attention rose with the batch."""
    parts = ("attention", "linear")
    names = [f"batch.{batch}.{part}_intensity" for batch in ("one", "large") for part in parts]
    if untested := missing(result, *names, "gpu.ridge"):
        return untested
    one, _, large, _ = (result.value(name) for name in names)
    evidence = tr(
        "From batch 1 to {batch}, decode attention stays at {one:.3g} and {large:.3g} FLOP/B, because every sequence "
        "brings a cache of its own; the linear layers go from {linear_one:.3g} to {linear_large:.3g} FLOP/B. The {gpu} "
        "is compute-bound from {ridge:.3g} FLOP/B (modelled).",
        batch=LARGE_BATCH,
        one=one,
        large=large,
        linear_one=result.value(names[1]),
        linear_large=result.value(names[3]),
        gpu=result.metrics["gpu.ridge"].note,
        ridge=result.value("gpu.ridge"),
    )
    rises = large > one * (1 + _NEARLY)
    return Finding(Verdict.HOLDS if rises else Verdict.DOES_NOT_HOLD, evidence)


def shared_heads_raise_intensity(result: AttentionHeadsResult) -> Finding:
    """Holds when the traced intensity rises from MHA to the shared attention, and from that to MQA if it is another."""
    mha, shared, mqa = result.decode("MHA"), shared_decode(result), result.decode("MQA")
    if mha is None or shared is None:
        return Finding(Verdict.NOT_TESTED, tr("The decode kernel did not run with MHA and with shared heads."))
    evidence = tr(
        "Decode attention does {mha:.3g} FLOP/B with MHA and {shared:.3g} FLOP/B with {scheme} (FLOPs by formula over "
        "all traced bytes of the kernels).",
        mha=mha.intensity,
        shared=shared.intensity,
        scheme=verbatim(shared.key),
    )
    if mqa is not None and mqa.key != shared.key:
        evidence = sentences(evidence, tr("MQA reaches {mqa:.3g} FLOP/B.", mqa=mqa.intensity))
    return Finding(Verdict.HOLDS if shared.intensity > mha.intensity else Verdict.DOES_NOT_HOLD, evidence)


CLAIMS = (
    Claim(
        id="intensity-rises-with-the-group",
        statement=tr(
            "Sharing KV heads raises the arithmetic intensity of decode attention, which is about 1 FLOP/B with MHA."
        ),
        source=tr("Shazeer 2019 (arXiv 1911.02150), sections 2.4 and 3.1"),
        test=shared_heads_raise_intensity,
    ),
    Claim(
        id="gqa-saves-prefill-compute",
        statement=tr("GQA saves the compute of attention in prefill."),
        source=tr(
            "Often taught; corrected by Ainslie et al. 2023 (arXiv 2305.13245), section 1: it saves memory bandwidth"
        ),
        test=saves_prefill_compute,
        expected=Verdict.DOES_NOT_HOLD,
    ),
    Claim(
        id="mqa-speeds-up-training",
        statement=tr("MQA makes training faster."),
        source=tr("Often taught; limited by Shazeer 2019 (arXiv 1911.02150), abstract: training is already fast"),
        test=speeds_up_training,
        expected=Verdict.HOLDS_WITH_LIMIT,
    ),
    Claim(
        id="batching-makes-decode-attention-compute-bound",
        statement=tr("A large batch makes decode attention compute-bound."),
        source=tr(
            "Often taught, by confusion of attention with the linear layers; see Pope et al. 2022 (arXiv 2211.05102)"
        ),
        test=batching_makes_it_compute_bound,
        expected=Verdict.DOES_NOT_HOLD,
    ),
)
