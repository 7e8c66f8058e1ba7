"""Claims about which tokens can affect which positions, tested by replacing every token in turn."""

from __future__ import annotations

from core.contracts.claims import Claim, Finding, Verdict
from core.contracts.text import Text, sentences, tr
from core.topics.decoder.claims.structure import (
    CORRECTED,
    CROSS_ATTENTION,
    SAME_TO_ROUNDING,
    VASWANI,
    not_encoder_decoder,
)
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
    cells, changed, past, past_changed = (result.value(name) for name in names)
    if not result.params.causal:
        return Finding(
            Verdict.NOT_TESTED,
            tr(
                "Without the causal mask, {changed:g} of {cells:g} (token, output) pairs changed: switch it on to test "
                "this claim.",
                changed=changed,
                cells=cells,
            ),
        )
    forbidden = result.value("perturbation.forbidden_moved")
    on_flash: Text | str = ""
    if "perturbation.forbidden_moved" in result.metrics:
        on_flash = tr(
            "With the flash kernel, {changed:g} of the {cells:g} (tensor, position) pairs that the replaced "
            "token cannot reach changed.",
            changed=forbidden,
            cells=result.value("perturbation.forbidden_cells"),
        )
    holds = changed == 0 and past_changed > 0 and not forbidden > 0
    replaced = tr(
        "Every target token was replaced in turn: {changed:g} of {cells:g} outputs before the token changed, and "
        "{past_changed:g} of {past:g} at or after it ({how}, exact comparison).",
        changed=changed,
        cells=cells,
        past_changed=past_changed,
        past=past,
        how=provenance(result, names[1]),
    )
    return Finding(Verdict.HOLDS if holds else Verdict.DOES_NOT_HOLD, sentences(replaced, on_flash))


def source_reaches_everywhere(result: DecoderResult) -> Finding:
    """Holds when every source token changes every output, and none changes the masked self-attention."""
    names = ("source.cells", "source.changed", "source.decoder_self_changed")
    if untested := not_encoder_decoder(result) or missing(result, *names):
        return untested
    cells, changed, in_self = (result.value(name) for name in names)
    return Finding(
        Verdict.HOLDS if changed == cells and in_self == 0 else Verdict.DOES_NOT_HOLD,
        tr(
            "Every source token was replaced in turn: {changed:g} of {cells:g} (token, output position) pairs changed, "
            "and {in_self:g} positions of the masked self-attention ({how}).",
            changed=changed,
            cells=cells,
            in_self=in_self,
            how=provenance(result, names[1]),
        ),
    )


def pads_do_not_matter(result: DecoderResult) -> Finding:
    """Holds when replacing a padding token changed nothing at all."""
    names = ("pads.cells", "pads.changed")
    if untested := missing(result, *names):
        return untested
    cells, changed = (result.value(name) for name in names)
    if cells == 0:
        return Finding(Verdict.NOT_TESTED, tr("The source has no padding: set padding to 1 or more."))
    return Finding(
        Verdict.HOLDS if changed == 0 else Verdict.DOES_NOT_HOLD,
        tr(
            "Every padding token was replaced in turn: {changed:g} of {cells:g} (padding token, output position) pairs "
            "changed ({how}, exact comparison).",
            changed=changed,
            cells=cells,
            how=provenance(result, names[1]),
        ),
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
        tr(
            "With {queries:g} queries over {keys:g} keys, the output differs from the layer of torch.nn by "
            "{error:.2g} ({how}); the attention map is {queries:g} x {keys:g}.",
            queries=queries,
            keys=keys,
            error=error,
            how=provenance(result, names[2]),
        ),
    )


def attention_aligns(result: DecoderResult) -> Finding:
    """Holds, for a model trained to reverse, when one head puts most of its weight on the token to be written."""
    if untested := not_encoder_decoder(result):
        return untested
    if result.params.weights != REVERSAL:
        return Finding(Verdict.NOT_TESTED, tr("Random weights align nothing: set weights to reversal."))
    names = ("cross.weight_on_wanted", "accuracy.typed", "accuracy.held_out")
    if untested := missing(result, *names):
        return untested
    weight, typed, held_out = (result.value(name) for name in names)
    if held_out < _LEARNED or typed < _WRITTEN:
        return Finding(
            Verdict.NOT_TESTED,
            tr(
                "The model has not learned to reverse this text: it predicts {typed:.0%} of the target and "
                "{held_out:.0%} of new sequences correctly. Type the source backwards (2 to 10 tokens), or set "
                "training_steps higher.",
                typed=typed,
                held_out=held_out,
            ),
        )
    return Finding(
        Verdict.HOLDS_WITH_LIMIT if weight > _CLEAR_WEIGHT else Verdict.DOES_NOT_HOLD,
        tr(
            "Trained to reverse, the model predicts {typed:.0%} of the typed target correctly, and its best head puts "
            "{weight:.0%} of its weight on the token to be written ({how}); other heads may attend elsewhere.",
            typed=typed,
            weight=weight,
            how=provenance(result, names[0]),
        ),
    )


VISIBILITY_CLAIMS = (
    Claim(
        id="future-does-not-matter",
        statement=tr("A future target token changes no output before it, not even by rounding."),
        source=tr("{paper}, section {section} (masking)", paper=VASWANI, section="3.1"),
        test=future_does_not_matter,
    ),
    Claim(
        id="source-reaches-everywhere",
        statement=tr("Every source token can change every output position: cross-attention has no causal mask."),
        source=CROSS_ATTENTION,
        test=source_reaches_everywhere,
    ),
    Claim(
        id="pads-do-not-matter",
        statement=tr("Padding of the source changes no output: the masks hide it."),
        source=tr("PyTorch documentation: {page}", page="torch.nn.TransformerDecoderLayer, memory_key_padding_mask"),
        test=pads_do_not_matter,
    ),
    Claim(
        id="equal-lengths-needed",
        statement=tr("Cross-attention needs a source and a target of the same length."),
        source=CORRECTED,
        test=equal_lengths,
        expected=Verdict.DOES_NOT_HOLD,
    ),
    Claim(
        id="attention-aligns",
        statement=tr("The cross-attention map shows which source token each output token is made from."),
        source=tr("{paper}, section {section}", paper="Bahdanau et al. 2015 (arXiv 1409.0473)", section="5.2.1"),
        test=attention_aligns,
        expected=Verdict.HOLDS_WITH_LIMIT,
    ),
)
