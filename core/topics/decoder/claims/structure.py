"""Claims about the parts of a block: its attentions, where their Q, K and V come from, and torch.nn's layers."""

from __future__ import annotations

from core.contracts.claims import Claim, Finding, Verdict
from core.contracts.text import tr
from core.topics.decoder.params import ENCODER_DECODER
from core.topics.decoder.result import DecoderResult
from core.wording import missing, provenance, quantity

VASWANI = "Vaswani et al. 2017 (arXiv 1706.03762)"
SAME_TO_ROUNDING = 1e-4
"""Two outputs within this difference count as the same computation. The stricter 1e-5 is the claim `equals-torch`."""
_SUM_LIMIT = 1e-9
_SWAPS = tuple(f"{swap}_swap.{letter}_change" for swap in ("memory", "stream") for letter in "qkv")


def not_encoder_decoder(result: DecoderResult) -> Finding | None:
    """The finding for a run whose model has no cross-attention, else None."""
    kind = result.params.kind
    if kind == ENCODER_DECODER:
        return None
    return Finding(
        Verdict.NOT_TESTED, f"This run's model is {kind} and has no cross-attention: set kind to encoder-decoder."
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
        f"The decoder block launched {launched} attention kernels ({provenance(result, names[0])}): "
        f"{self_queries} queries over its own {self_keys} tokens, then {cross_queries} queries over {cross_keys} "
        "tokens of the memory.",
    )


def decoder_only_has_one(result: DecoderResult) -> Finding:
    """Holds when the decoder-only block launches one attention and equals torch.nn's layer with one attention."""
    names = ("decoder_only.attentions", "decoder_only.error_torch", "decoder_only.parameters")
    if untested := missing(result, *names):
        return untested
    launched, error = round(result.value(names[0])), result.value(names[1])
    extra = ""
    if "decoder.cross.parameters" in result.metrics:
        extra = f"; it lacks the {quantity(result, 'decoder.cross.parameters')} parameters of cross-attention"
    return Finding(
        Verdict.HOLDS if launched == 1 and error <= SAME_TO_ROUNDING else Verdict.DOES_NOT_HOLD,
        f"The decoder-only block launches {launched} attention kernel ({provenance(result, names[0])}) and has "
        f"{quantity(result, names[2])} parameters (modelled){extra}. It differs from torch.nn.TransformerEncoderLayer "
        f"under a mask by at most {error:.2g} ({provenance(result, names[1])}), and there is no memory that a gradient "
        "could reach.",
    )


def equals_torch(result: DecoderResult) -> Finding:
    """Holds when every difference from torch.nn is within its limit.

    In float32, torch.nn's own layer can be further than the limit from float64. The claim then holds with a limit if
    ours is no further from float64 than torch.nn's.
    """
    against_torch = [check for check in result.checks if check.against.startswith("torch.nn")]
    errors = {check.what: check.max_abs_error for check in result.checks if check.against == "float64"}
    if not against_torch or len(errors) < 2:
        return Finding(Verdict.NOT_TESTED, "This run compared nothing with torch.nn: run the page to the end.")
    differences = ", ".join(
        f"{check.what} against {check.against} {check.max_abs_error:.2g}" for check in against_torch
    )
    limit, ours, theirs = against_torch[0].limit, errors["output"], errors["torch.nn"]
    evidence = (
        f"Largest differences on the same weights in float32: {differences}; the limit is {limit:g}. Against float64, "
        f"our error is {ours:.2g} and torch.nn's is {theirs:.2g}."
    )
    if all(check.max_abs_error <= limit for check in against_torch):
        return Finding(Verdict.HOLDS, evidence)
    torch_is_off = theirs > limit and ours <= theirs
    return Finding(Verdict.HOLDS_WITH_LIMIT if torch_is_off else Verdict.DOES_NOT_HOLD, evidence)


def qkv_sources(result: DecoderResult) -> Finding:
    """Holds when the memory changes only K and V, the stream only Q, and torch's layer gets the same tensors."""
    arguments = tuple(f"torch_cross.{name}_error" for name in ("query", "key", "value"))
    if untested := not_encoder_decoder(result) or missing(result, *_SWAPS, *arguments):
        return untested
    changes, argument_errors = _swap_changes(result), [result.value(name) for name in arguments]
    as_taught = {"memory_swap": [False, True, True], "stream_swap": [True, False, False]}
    holds = all([change != 0 for change in changes[swap]] == expected for swap, expected in as_taught.items())
    memory, stream = (", ".join(f"{change:.3g}" for change in changes[swap]) for swap in as_taught)
    return Finding(
        Verdict.HOLDS if holds and max(argument_errors) <= SAME_TO_ROUNDING else Verdict.DOES_NOT_HOLD,
        f"Replacing only the memory changes Q, K and V of the cross-attention by {memory}; replacing only the "
        f"decoder's tokens changes them by {stream} ({provenance(result, _SWAPS[0])}; 0 is exact). torch.nn's layer "
        "passes to its cross-attention the output of the masked self-attention (difference "
        f"{argument_errors[0]:.2g}) and the memory (difference {max(argument_errors[1:]):.2g}).",
    )


def all_from_encoder(result: DecoderResult) -> Finding:
    """Would hold if the cross-attention's queries changed with the memory and not with the decoder's tokens."""
    if untested := not_encoder_decoder(result) or missing(result, *_SWAPS):
        return untested
    changes = _swap_changes(result)
    from_memory, from_stream = changes["memory_swap"][0], changes["stream_swap"][0]
    return Finding(
        Verdict.HOLDS if from_memory != 0 and from_stream == 0 else Verdict.DOES_NOT_HOLD,
        f"Q changes by {from_memory:.3g} when the memory is replaced, and by {from_stream:.3g} when the decoder's "
        f"tokens are replaced ({provenance(result, _SWAPS[0])}).",
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
        f"The gradient into the memory has norm {whole:.4g}: {k:.4g} through K alone, {v:.4g} through V alone and "
        f"{neither:g} with both paths cut. The sum of the two paths differs from the whole by {sum_error:.2g}, and the "
        f"whole from the gradient through torch.nn's layer by {torch_error:.2g} (relative, float64, "
        f"{provenance(result, names[0])}).",
    )


def keys_can_be_kept(result: DecoderResult) -> Finding:
    """Holds when K and V of the cross-attention stay exactly the same whatever the decoder reads."""
    if untested := not_encoder_decoder(result) or missing(result, *_SWAPS):
        return untested
    q, k, v = _swap_changes(result)["stream_swap"]
    return Finding(
        Verdict.HOLDS if k == v == 0 and q != 0 else Verdict.DOES_NOT_HOLD,
        f"With all decoder tokens replaced, K changes by {k:g}, V by {v:g} and Q by {q:.3g} "
        f"({provenance(result, _SWAPS[0])}).",
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
        source=f"{VASWANI}, section 3.1 and Figure 1",
        test=two_attentions,
    ),
    Claim(
        id="decoder-only-has-one",
        statement=tr("Decoder-only models such as GPT have no cross-attention."),
        source="Radford et al. 2018 (GPT), section 3.1",
        test=decoder_only_has_one,
    ),
    Claim(
        id="equals-torch",
        statement=tr("With the same weights, the block on the flash kernel gives the output of torch.nn's layers."),
        source="PyTorch documentation: torch.nn.TransformerDecoderLayer and torch.nn.TransformerEncoder",
        test=equals_torch,
    ),
    Claim(
        id="qkv-sources",
        statement=tr(
            "In cross-attention Q comes from the decoder (the output of the masked self-attention), K and V from the "
            "encoder's last layer."
        ),
        source=f"{VASWANI}, section 3.2.3",
        test=qkv_sources,
    ),
    Claim(
        id="gradient-through-k-and-v",
        statement=tr("Gradients reach the encoder's output only through K and V of the cross-attention."),
        source=f"Follows from {VASWANI}, section 3.2.3",
        test=gradient_paths,
    ),
    Claim(
        id="all-from-encoder",
        statement=tr("In cross-attention Q, K and V all come from the encoder."),
        source=f"Often taught; corrected by {VASWANI}, section 3.2.3",
        test=all_from_encoder,
        expected=Verdict.DOES_NOT_HOLD,
    ),
    Claim(
        id="cross-keys-can-be-kept",
        statement=tr(
            "K and V of cross-attention do not depend on the decoder's tokens, so one computation serves all steps."
        ),
        source=f"Follows from {VASWANI}, section 3.2.3",
        test=keys_can_be_kept,
    ),
)
