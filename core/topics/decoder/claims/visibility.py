"""Claims about which tokens can affect which positions, tested by replacing every token in turn."""

from __future__ import annotations

from core.contracts.claims import Claim, Finding, Verdict
from core.contracts.text import tr
from core.topics.decoder.claims.structure import SAME_TO_ROUNDING, VASWANI, not_encoder_decoder
from core.topics.decoder.params import REVERSAL
from core.topics.decoder.result import DecoderResult
from core.wording import missing, provenance

_CLEAR_WEIGHT = 0.5
"""More weight than on all other tokens together."""
_LEARNED, _WRITTEN = 0.9, 0.8
"""The task counts as learned from these accuracies on: on new sequences, and on the typed target."""


def future_does_not_matter(result: DecoderResult) -> Finding:
    """Holds when no output before a replaced target token changed at all, compared as floats."""
    names = ("future.cells", "future.changed", "past.cells", "past.changed")
    if untested := missing(result, *names):
        return untested
    if not result.params.causal:
        return Finding(
            Verdict.NOT_TESTED,
            f"Without the causal mask, {result.value('future.changed'):g} of {result.value('future.cells'):g} (token, "
            "output) pairs changed: switch it on to test this claim.",
        )
    cells, changed, past, past_changed = (result.value(name) for name in names)
    forbidden = result.value("perturbation.forbidden_moved")
    through_flash = ""
    if "perturbation.forbidden_moved" in result.metrics:
        through_flash = (
            f"; on the flash kernel, {forbidden:g} of {result.value('perturbation.forbidden_cells'):g} (tensor, "
            "position) pairs out of reach of the chosen token changed"
        )
    holds = changed == 0 and past_changed > 0 and not forbidden > 0
    return Finding(
        Verdict.HOLDS if holds else Verdict.DOES_NOT_HOLD,
        f"Every target token was replaced in turn: {changed:g} of {cells:g} outputs before the token changed, and "
        f"{past_changed:g} of {past:g} at or after it ({provenance(result, names[1])}, exact comparison)"
        f"{through_flash}.",
    )


def source_reaches_everywhere(result: DecoderResult) -> Finding:
    """Holds when every source token changes every output, and none changes the masked self-attention."""
    names = ("source.cells", "source.changed", "source.decoder_self_changed")
    if untested := not_encoder_decoder(result) or missing(result, *names):
        return untested
    cells, changed, in_self = (result.value(name) for name in names)
    return Finding(
        Verdict.HOLDS if changed == cells and in_self == 0 else Verdict.DOES_NOT_HOLD,
        f"Every source token was replaced in turn: {changed:g} of {cells:g} (token, output position) pairs changed, "
        f"and {in_self:g} positions of the masked self-attention ({provenance(result, names[1])}).",
    )


def pads_do_not_matter(result: DecoderResult) -> Finding:
    """Holds when replacing a padding token changed nothing at all."""
    names = ("pads.cells", "pads.changed")
    if untested := missing(result, *names):
        return untested
    cells, changed = (result.value(name) for name in names)
    if cells == 0:
        return Finding(Verdict.NOT_TESTED, "The source has no padding: set padding to 1 or more.")
    return Finding(
        Verdict.HOLDS if changed == 0 else Verdict.DOES_NOT_HOLD,
        f"Every padding token was replaced in turn: {changed:g} of {cells:g} (padding token, output position) pairs "
        f"changed ({provenance(result, names[1])}, exact comparison).",
    )


def equal_lengths(result: DecoderResult) -> Finding:
    """Would hold if cross-attention failed its check where source and target differ in length."""
    names = ("cross.visible_keys", "cross.query_len", "block.error_torch", "shorter.query_len", "shorter.error_torch")
    if untested := not_encoder_decoder(result) or missing(result, *names):
        return untested
    keys, *pairs = (result.value(name) for name in names)
    # The target as typed, or without its last token: at least one of them differs in length from the source.
    queries, error = (pairs[0], pairs[1]) if pairs[0] != keys else (pairs[2], pairs[3])
    return Finding(
        Verdict.HOLDS if not error <= SAME_TO_ROUNDING else Verdict.DOES_NOT_HOLD,
        f"With {queries:g} queries over {keys:g} keys, the output differs from torch.nn's layer by {error:.2g} "
        f"({provenance(result, names[2])}); the attention map is {queries:g} x {keys:g}.",
    )


def attention_aligns(result: DecoderResult) -> Finding:
    """Holds, for a model trained to reverse, when one head puts most of its weight on the token to be written."""
    if untested := not_encoder_decoder(result):
        return untested
    if result.params.weights != REVERSAL:
        return Finding(Verdict.NOT_TESTED, "Random weights align nothing: set weights to reversal.")
    names = ("cross.weight_on_wanted", "accuracy.typed", "accuracy.held_out")
    if untested := missing(result, *names):
        return untested
    weight, typed, held_out = (result.value(name) for name in names)
    if held_out < _LEARNED or typed < _WRITTEN:
        return Finding(
            Verdict.NOT_TESTED,
            f"The model has not learned to reverse this text: it predicts {typed:.0%} of the target and "
            f"{held_out:.0%} of new sequences correctly. Type the source backwards (2 to 10 tokens), or set "
            "training_steps higher.",
        )
    return Finding(
        Verdict.HOLDS_WITH_LIMIT if weight > _CLEAR_WEIGHT else Verdict.DOES_NOT_HOLD,
        f"Trained to reverse, the model predicts {typed:.0%} of the typed target correctly, and its best head puts "
        f"{weight:.0%} of its weight on the token to be written ({provenance(result, 'cross.weight_on_wanted')}); "
        "other heads may attend elsewhere.",
    )


VISIBILITY_CLAIMS = (
    Claim(
        id="future-does-not-matter",
        statement=tr("A future target token changes no output before it, not even by rounding."),
        source=f"{VASWANI}, section 3.1 (masking)",
        test=future_does_not_matter,
    ),
    Claim(
        id="source-reaches-everywhere",
        statement=tr("Every source token can change every output position: cross-attention has no causal mask."),
        source=f"{VASWANI}, section 3.2.3",
        test=source_reaches_everywhere,
    ),
    Claim(
        id="pads-do-not-matter",
        statement=tr("Padding of the source changes no output: the masks hide it."),
        source="PyTorch documentation: torch.nn.TransformerDecoderLayer, memory_key_padding_mask",
        test=pads_do_not_matter,
    ),
    Claim(
        id="equal-lengths-needed",
        statement=tr("Cross-attention needs a source and a target of the same length."),
        source=f"Often taught; corrected by {VASWANI}, section 3.2.3",
        test=equal_lengths,
        expected=Verdict.DOES_NOT_HOLD,
    ),
    Claim(
        id="attention-aligns",
        statement=tr("The cross-attention map shows which source token each output token is made from."),
        source="Bahdanau et al. 2015 (arXiv 1409.0473), section 5.2.1",
        test=attention_aligns,
        expected=Verdict.HOLDS_WITH_LIMIT,
    ),
)
