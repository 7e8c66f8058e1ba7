"""Claims on which token can matter where, tested by replacing every token in turn."""

from __future__ import annotations

from core.contracts.claims import Claim, Finding, Verdict
from core.contracts.text import tr
from core.topics.decoder.claims.structure import SAME_TO_ROUNDING, VASWANI, not_encoder_decoder
from core.topics.decoder.params import REVERSAL
from core.topics.decoder.result import DecoderResult
from core.wording import missing, provenance

_CLEAR_WEIGHT = 0.5
"""More than on all other tokens together."""
_LEARNED, _WRITTEN = 0.9, 0.8
"""Shares of new sequences, and of the typed target, from which on the task counts as learned."""


def future_does_not_matter(result: DecoderResult) -> Finding:
    """Holds when no output before a replaced target token moved at all, compared as floats."""
    names = ("future.cells", "future.changed", "past.cells", "past.changed")
    if untested := missing(result, *names):
        return untested
    if not result.params.causal:
        return Finding(
            Verdict.NOT_TESTED,
            f"Without the causal mask {result.value('future.changed'):g} of {result.value('future.cells'):g} pairs did "
            "move: switch it on to test the decoder as it is taught.",
        )
    cells, moved, past, past_moved = (result.value(name) for name in names)
    forbidden = result.value("perturbation.forbidden_moved")
    through_flash = ""
    if "perturbation.forbidden_moved" in result.metrics:
        through_flash = (
            f"; on the flash kernel {forbidden:g} of {result.value('perturbation.forbidden_cells'):g} (tensor, "
            "position) pairs out of reach of the chosen token"
        )
    holds = moved == 0 and past_moved > 0 and not forbidden > 0
    return Finding(
        Verdict.HOLDS if holds else Verdict.DOES_NOT_HOLD,
        f"Every target token replaced in turn: of {cells:g} outputs before one, {moved:g} moved, and of {past:g} at or "
        f"after one, {past_moved:g} ({provenance(result, names[1])}, exact comparison){through_flash}.",
    )


def source_reaches_everywhere(result: DecoderResult) -> Finding:
    """Holds when every source token moves every output, and none moves the masked self-attention."""
    names = ("source.cells", "source.changed", "source.decoder_self_changed")
    if untested := not_encoder_decoder(result) or missing(result, *names):
        return untested
    cells, moved, in_self = (result.value(name) for name in names)
    return Finding(
        Verdict.HOLDS if moved == cells and in_self == 0 else Verdict.DOES_NOT_HOLD,
        f"Every source token replaced in turn: {moved:g} of {cells:g} (token, output position) pairs moved, the first "
        f"position with the last token too; in the masked self-attention {in_self:g} ({provenance(result, names[1])}).",
    )


def pads_do_not_matter(result: DecoderResult) -> Finding:
    """Holds when replacing a hidden pad moved nothing at all."""
    names = ("pads.cells", "pads.changed")
    if untested := missing(result, *names):
        return untested
    cells, moved = (result.value(name) for name in names)
    if cells == 0:
        return Finding(Verdict.NOT_TESTED, "The source has no pads: set padding to 1 or more.")
    return Finding(
        Verdict.HOLDS if moved == 0 else Verdict.DOES_NOT_HOLD,
        f"Every pad replaced by a token in turn: {moved:g} of {cells:g} (pad, output position) pairs moved "
        f"({provenance(result, names[1])}, exact comparison).",
    )


def equal_lengths(result: DecoderResult) -> Finding:
    """It would hold if a cross-attention over another length than its queries' failed its check."""
    names = ("cross.visible_keys", "cross.query_len", "block.error_torch", "shorter.query_len", "shorter.error_torch")
    if untested := not_encoder_decoder(result) or missing(result, *names):
        return untested
    keys, *pairs = (result.value(name) for name in names)
    # The text as typed, or one step of writing earlier: at least one of them has another length than the source.
    queries, error = (pairs[0], pairs[1]) if pairs[0] != keys else (pairs[2], pairs[3])
    return Finding(
        Verdict.HOLDS if not error <= SAME_TO_ROUNDING else Verdict.DOES_NOT_HOLD,
        f"{queries:g} queries over {keys:g} keys give the output of torch.nn's layer to {error:.2g} "
        f"({provenance(result, names[2])}): the map is {queries:g} x {keys:g}.",
    )


def attention_aligns(result: DecoderResult) -> Finding:
    """Holds, for a model trained on reversing, when one head puts most of its weight on the token to be written."""
    if untested := not_encoder_decoder(result):
        return untested
    if result.params.weights != REVERSAL:
        return Finding(Verdict.NOT_TESTED, "Random weights align nothing: set weights to reversal.")
    names = ("cross.weight_on_wanted", "accuracy.typed", "accuracy.held_out")
    if untested := missing(result, *names):
        return untested
    weight, right, held_out = (result.value(name) for name in names)
    if held_out < _LEARNED or right < _WRITTEN:
        return Finding(
            Verdict.NOT_TESTED,
            f"The model has not learned to reverse this: it writes {right:.0%} of the target and {held_out:.0%} of new "
            "sequences. Type the source backwards, 2 to 10 tokens, or set training_steps higher.",
        )
    return Finding(
        Verdict.HOLDS_WITH_LIMIT if weight > _CLEAR_WEIGHT else Verdict.DOES_NOT_HOLD,
        f"Trained to reverse, the model writes {right:.0%} of the typed target, and its best head puts {weight:.0%} "
        f"of its weight on the token to be written ({provenance(result, 'cross.weight_on_wanted')}); others need not.",
    )


VISIBILITY_CLAIMS = (
    Claim(
        id="future-does-not-matter",
        statement=tr(
            "A future target token changes nothing before it, not even by rounding.",
        ),
        source=f"{VASWANI}, section 3.1 (masking)",
        test=future_does_not_matter,
    ),
    Claim(
        id="source-reaches-everywhere",
        statement=tr(
            "Every source token can change every output position: cross-attention has no causal mask.",
        ),
        source=f"{VASWANI}, section 3.2.3",
        test=source_reaches_everywhere,
    ),
    Claim(
        id="pads-do-not-matter",
        statement=tr("Pads of the source change nothing: the masks hide them."),
        source="torch.nn.TransformerDecoderLayer, memory_key_padding_mask",
        test=pads_do_not_matter,
    ),
    Claim(
        id="equal-lengths-needed",
        statement=tr("Cross-attention needs a source and a target of the same length."),
        source="A mix-up with self-attention, whose map is square",
        test=equal_lengths,
        expected=Verdict.DOES_NOT_HOLD,
    ),
    Claim(
        id="attention-aligns",
        statement=tr(
            "The cross-attention map shows which source token each output token is made from.",
        ),
        source="Bahdanau et al. 2015 (arXiv 1409.0473), section 5.2.1",
        test=attention_aligns,
        expected=Verdict.HOLDS_WITH_LIMIT,
    ),
)
