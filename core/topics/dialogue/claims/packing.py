"""What packing needs: a document mask, and, under some position schemes, positions that are reset."""

from __future__ import annotations

import numpy as np

from core.contracts.claims import Claim, Finding
from core.contracts.judging import noise, verdict
from core.contracts.text import listed, sentences, tr, verbatim
from core.topics.dialogue.claims.untrained import not_trained
from core.topics.dialogue.result import DialogueResult

SAME_LOGITS = 1e-3
"""Largest difference of logits that rounding explains: transformers computes RoPE's angles in float32."""

SAME_LOSS = 1e-3


def packing_leaks(result: DialogueResult) -> Finding:
    behind = [document for document in result.leaks if document.foreign]
    if not behind or not result.leaked_share:
        return not_trained()
    masked = float(np.mean([abs(one.masked - one.alone) for one in behind]))
    leaked = float(np.mean([abs(one.leaked - one.alone) for one in behind]))
    losses = tr(
        "Over {count} conversations behind another one in their row, the loss differs from that of the conversation "
        "alone by {leaked:.2f} nats per target without document mask, and by {masked:.1e} with it ({provenance}).",
        count=len(behind),
        leaked=leaked,
        masked=masked,
        provenance=result.measured.label,
    )
    share, own = result.leaked_share["without_mask"], result.leaked_share["masked"]
    asked = len(result.leaked_answers)
    answers = tr(
        "Asked about somebody of whom nothing was told, the model names what its neighbour tells in {share:.0%} of "
        "{asked} answers without the mask, and in {own:.0%} with it.",
        share=share,
        asked=asked,
        own=own,
    )
    apart = masked < SAME_LOSS
    return Finding(
        verdict(apart and leaked > SAME_LOSS and share - own > noise(share, asked, own, asked)),
        sentences(losses, answers),
    )


def masked_packing_is_exact(result: DialogueResult) -> Finding:
    found = result.equality
    if found is None:
        return not_trained()
    text = tr(
        "With document mask and positions from 0 in each conversation, the gradients of {conversations} packed "
        "conversations differ from those of one per row by at most {packed:.1e} of their norm, in float64 "
        "({provenance}).",
        conversations=found.conversations,
        packed=float(found.packed.max()),
        provenance=result.measured.label,
    )
    return Finding(verdict(float(found.packed.max()) < 1e-11), text)


def positions_need_no_reset(result: DialogueResult) -> Finding:
    """Holds for a scheme if neither logits nor losses change."""
    if not result.schemes:
        return not_trained()
    same = [one for one in result.schemes if one.logits < SAME_LOGITS and abs(one.not_reset - one.alone) < SAME_LOSS]
    other = [one for one in result.schemes if one not in same]
    texts = []
    if same:
        texts.append(
            tr(
                "No difference under {schemes}: the logits differ by at most {logits:.1e}, which is rounding "
                "({provenance}).",
                schemes=listed(one.label for one in same),
                logits=max(one.logits for one in same),
                provenance=result.measured.label,
            )
        )
    texts += [
        tr(
            "Under {scheme} ({model}), logits change by up to {logits:.2g}, and the loss goes from {alone:.2f} to "
            "{not_reset:.2f} nats per target.",
            scheme=one.label,
            model=one.model,
            logits=one.logits,
            alone=one.alone,
            not_reset=one.not_reset,
        )
        for one in other
    ]
    return Finding(verdict(bool(same), bool(other)), sentences(*texts))


PACKING_CLAIMS = (
    Claim(
        "packing-leaks-without-mask",
        tr("Packing without a document mask leaks from one conversation into the next."),
        verbatim("Krell et al. 2021, arXiv 2107.02027; Ding et al. 2024, arXiv 2404.10830"),
        packing_leaks,
    ),
    Claim(
        "masked-packing-is-exact",
        tr("With document mask and reset positions, packing changes no gradient."),
        verbatim("Krell et al. 2021, arXiv 2107.02027"),
        masked_packing_is_exact,
    ),
    Claim(
        "positions-need-no-reset",
        tr("With a document mask, positions need not be reset."),
        tr("Often said of RoPE; Su et al. 2021, arXiv 2104.09864, equation 16: only the distance counts"),
        positions_need_no_reset,
    ),
)
