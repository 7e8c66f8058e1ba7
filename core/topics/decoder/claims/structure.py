"""Claims about the parts of a block: its attentions, where their Q, K and V come from, and torch.nn's layers."""

from __future__ import annotations

from core.comparison import ErrorCheck
from core.contracts.claims import Claim, Finding, Verdict
from core.contracts.text import Text, listed, sentences, tr, tr_plural
from core.topics.decoder.params import ENCODER_DECODER
from core.topics.decoder.result import FLOAT64, OUTPUT, TORCH, DecoderResult
from core.wording import missing, provenance, quantity

VASWANI = "Vaswani et al. 2017 (arXiv 1706.03762)"
CROSS_ATTENTION = tr("{paper}, section {section}", paper=VASWANI, section="3.2.3")
FOLLOWS = tr("Follows from {source}", source=CROSS_ATTENTION)
CORRECTED = tr("Often taught; corrected by {source}", source=CROSS_ATTENTION)
SAME_TO_ROUNDING = 1e-4
"""Two outputs within this difference count as the same computation. The stricter 1e-5 is the claim `equals-torch`."""
_SUM_LIMIT = 1e-9

_SWAPS = tuple(f"{swap}_swap.{letter}_change" for swap in ("memory", "stream") for letter in "qkv")


def not_encoder_decoder(result: DecoderResult) -> Finding | None:
    """The finding for a run whose model has no cross-attention, else None."""
    kind = result.params.kind
    if result.params.memory_is_padding:
        return Finding(
            Verdict.NOT_TESTED,
            tr("Every source token is padding, so no query of the cross-attention sees a key: type a source."),
        )
    if kind == ENCODER_DECODER:
        return None
    return Finding(
        Verdict.NOT_TESTED,
        tr("The model of this run is {kind} and has no cross-attention: set kind to encoder-decoder.", kind=kind),
    )


def two_attentions(result: DecoderResult) -> Finding:
    """Holds when the decoder block launched two attention kernels, one over itself and one over the memory."""
    if untested := not_encoder_decoder(result):
        return untested
    names = ("block.attentions", "self.query_len", "self.visible_keys", "cross.query_len", "cross.visible_keys")
    if untested := missing(result, *names):
        return untested
    launched, self_queries, self_keys, cross_queries, cross_keys = (round(result.value(name)) for name in names)
    holds = launched == 2 and self_queries == self_keys == cross_queries
    return Finding(
        Verdict.HOLDS if holds else Verdict.DOES_NOT_HOLD,
        tr_plural(
            "The decoder block launched {count} attention kernel ({how}): {self_queries} queries over its own "
            "{self_keys} tokens, then {cross_queries} queries over {cross_keys} tokens of the memory.",
            "The decoder block launched {count} attention kernels ({how}): {self_queries} queries over its own "
            "{self_keys} tokens, then {cross_queries} queries over {cross_keys} tokens of the memory.",
            count=launched,
            how=provenance(result, names[0]),
            self_queries=self_queries,
            self_keys=self_keys,
            cross_queries=cross_queries,
            cross_keys=cross_keys,
        ),
    )


def decoder_only_has_one(result: DecoderResult) -> Finding:
    """Holds when the decoder-only block launches one attention and equals torch.nn's layer with one attention."""
    names = ("decoder_only.attentions", "decoder_only.error_torch", "decoder_only.parameters")
    if untested := missing(result, *names):
        return untested
    launched, error = round(result.value(names[0])), result.value(names[1])
    block = tr_plural(
        "The decoder-only block launches {count} attention kernel ({how}) and has {parameters} parameters (modelled).",
        "The decoder-only block launches {count} attention kernels ({how}) and has {parameters} parameters (modelled).",
        count=launched,
        how=provenance(result, names[0]),
        parameters=quantity(result, names[2]),
    )
    cross: Text | str = ""
    if "decoder.cross.parameters" in result.metrics:
        cross = tr(
            "It lacks the {parameters} parameters of cross-attention.",
            parameters=quantity(result, "decoder.cross.parameters"),
        )
    difference = tr(
        "It differs from torch.nn.TransformerEncoderLayer under a mask by at most {error:.2g} ({how}), and there is no "
        "memory that a gradient could reach.",
        error=error,
        how=provenance(result, names[1]),
    )
    return Finding(
        Verdict.HOLDS if launched == 1 and error <= SAME_TO_ROUNDING else Verdict.DOES_NOT_HOLD,
        sentences(block, cross, difference),
    )


def equals_torch(result: DecoderResult) -> Finding:
    """Holds when every difference from torch.nn is within its limit.

    In float32, torch.nn's own layer can be further than the limit from float64. The claim then holds with a limit if
    ours is no further from float64 than torch.nn's.
    """
    against_torch = [check for check in result.checks if check.against != FLOAT64]
    errors = {check.what: check.max_abs_error for check in result.checks if check.against == FLOAT64}
    if not against_torch or len(errors) < 2:
        return Finding(Verdict.NOT_TESTED, tr("This run compared nothing with torch.nn: run the page to the end."))
    limit, ours, theirs = against_torch[0].limit, errors[OUTPUT], errors[TORCH]
    evidence = tr(
        "Largest differences on the same weights in float32: {differences}; the limit is {limit:g}. Against float64, "
        "our error is {ours:.2g} and that of torch.nn is {theirs:.2g}.",
        differences=listed(map(_difference, against_torch)),
        limit=limit,
        ours=ours,
        theirs=theirs,
    )
    if all(check.max_abs_error <= limit for check in against_torch):
        return Finding(Verdict.HOLDS, evidence)
    torch_is_off = theirs > limit and ours <= theirs
    return Finding(Verdict.HOLDS_WITH_LIMIT if torch_is_off else Verdict.DOES_NOT_HOLD, evidence)


def _difference(check: ErrorCheck) -> Text:
    """One comparison with a layer of torch.nn, as a part of a list."""
    return tr(
        "{what} against {reference} {error:.2g}",
        what=check.what,
        reference=check.against,
        error=check.max_abs_error,
    )


def qkv_sources(result: DecoderResult) -> Finding:
    """Holds when the memory changes only K and V, the stream only Q, and torch's layer gets the same tensors."""
    arguments = tuple(f"torch_cross.{name}_error" for name in ("query", "key", "value"))
    if untested := not_encoder_decoder(result) or missing(result, *_SWAPS, *arguments):
        return untested
    changes, argument_errors = _swap_changes(result), [result.value(name) for name in arguments]
    as_taught = {"memory_swap": [False, True, True], "stream_swap": [True, False, False]}
    holds = all([change != 0 for change in changes[swap]] == expected for swap, expected in as_taught.items())
    by_memory, by_tokens = (listed(f"{change:.3g}" for change in changes[swap]) for swap in as_taught)
    return Finding(
        Verdict.HOLDS if holds and max(argument_errors) <= SAME_TO_ROUNDING else Verdict.DOES_NOT_HOLD,
        sentences(
            tr(
                "Replacing only the memory changes Q, K and V of the cross-attention by {by_memory}; replacing only "
                "the tokens of the decoder changes them by {by_tokens} ({how}; 0 is exact).",
                by_memory=by_memory,
                by_tokens=by_tokens,
                how=provenance(result, _SWAPS[0]),
            ),
            tr(
                "The layer of torch.nn passes to its cross-attention the output of the masked self-attention "
                "(difference {query_error:.2g}) and the memory (difference {memory_error:.2g}).",
                query_error=argument_errors[0],
                memory_error=max(argument_errors[1:]),
            ),
        ),
    )


def all_from_encoder(result: DecoderResult) -> Finding:
    """Would hold if the cross-attention's queries changed with the memory and not with the decoder's tokens."""
    if untested := not_encoder_decoder(result) or missing(result, *_SWAPS):
        return untested
    changes = _swap_changes(result)
    from_memory, from_stream = changes["memory_swap"][0], changes["stream_swap"][0]
    return Finding(
        Verdict.HOLDS if from_memory != 0 and from_stream == 0 else Verdict.DOES_NOT_HOLD,
        tr(
            "Q changes by {by_memory:.3g} when the memory is replaced, and by {by_tokens:.3g} when the tokens of the "
            "decoder are replaced ({how}).",
            by_memory=from_memory,
            by_tokens=from_stream,
            how=provenance(result, _SWAPS[0]),
        ),
    )


def gradient_paths(result: DecoderResult) -> Finding:
    """Holds when the paths through K and V add up to the whole gradient and no gradient flows without them."""
    names = tuple(f"gradient.{name}" for name in ("whole", "k", "v", "neither", "sum_error", "torch_error"))
    if untested := not_encoder_decoder(result) or missing(result, *names):
        return untested
    whole, k, v, neither, sum_error, torch_error = (result.value(name) for name in names)
    holds = whole > 0 and neither == 0 and sum_error <= _SUM_LIMIT and torch_error <= _SUM_LIMIT
    return Finding(
        Verdict.HOLDS if holds else Verdict.DOES_NOT_HOLD,
        sentences(
            tr(
                "The gradient into the memory has norm {whole:.4g}: {k:.4g} through K alone, {v:.4g} through V alone "
                "and {neither:g} with both paths cut.",
                whole=whole,
                k=k,
                v=v,
                neither=neither,
            ),
            tr(
                "The sum of the two paths differs from the full gradient by {sum_error:.2g}, and the full "
                "gradient from that of the torch.nn layer by {torch_error:.2g} (relative, float64, {how}).",
                sum_error=sum_error,
                torch_error=torch_error,
                how=provenance(result, names[0]),
            ),
        ),
    )


def keys_can_be_kept(result: DecoderResult) -> Finding:
    """Holds when K and V of the cross-attention stay exactly the same whatever the decoder reads."""
    if untested := not_encoder_decoder(result) or missing(result, *_SWAPS):
        return untested
    q, k, v = _swap_changes(result)["stream_swap"]
    return Finding(
        Verdict.HOLDS if k == v == 0 and q != 0 else Verdict.DOES_NOT_HOLD,
        tr(
            "With all decoder tokens replaced, K changes by {k:g}, V by {v:g} and Q by {q:.3g} ({how}).",
            k=k,
            v=v,
            q=q,
            how=provenance(result, _SWAPS[0]),
        ),
    )


def _swap_changes(result: DecoderResult) -> dict[str, list[float]]:
    """The changes of Q, K and V, by the tensor that was replaced."""
    return {
        swap: [result.value(f"{swap}.{letter}_change") for letter in "qkv"] for swap in ("memory_swap", "stream_swap")
    }


STRUCTURE_CLAIMS = (
    Claim(
        id="two-attentions",
        statement=tr(
            "A decoder block has two attentions: masked self-attention, then cross-attention to the encoder's output."
        ),
        source=tr("{paper}, section {section} and Figure {figure}", paper=VASWANI, section="3.1", figure="1"),
        test=two_attentions,
    ),
    Claim(
        id="decoder-only-has-one",
        statement=tr("Decoder-only models such as GPT have no cross-attention."),
        source=tr("{paper}, section {section}", paper="Radford et al. 2018 (GPT)", section="3.1"),
        test=decoder_only_has_one,
    ),
    Claim(
        id="equals-torch",
        statement=tr("With the same weights, the block on the flash kernel gives the output of torch.nn's layers."),
        source=tr(
            "PyTorch documentation: {page}", page="torch.nn.TransformerDecoderLayer, torch.nn.TransformerEncoder"
        ),
        test=equals_torch,
    ),
    Claim(
        id="qkv-sources",
        statement=tr(
            "In cross-attention Q comes from the decoder (the output of the masked self-attention), K and V from the "
            "encoder's last layer."
        ),
        source=CROSS_ATTENTION,
        test=qkv_sources,
    ),
    Claim(
        id="gradient-through-k-and-v",
        statement=tr("Gradients reach the encoder's output only through K and V of the cross-attention."),
        source=FOLLOWS,
        test=gradient_paths,
    ),
    Claim(
        id="all-from-encoder",
        statement=tr("In cross-attention Q, K and V all come from the encoder."),
        source=CORRECTED,
        test=all_from_encoder,
        expected=Verdict.DOES_NOT_HOLD,
    ),
    Claim(
        id="cross-keys-can-be-kept",
        statement=tr(
            "K and V of cross-attention do not depend on the decoder's tokens, so one computation serves all steps."
        ),
        source=FOLLOWS,
        test=keys_can_be_kept,
    ),
)
