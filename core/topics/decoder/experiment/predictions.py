"""What the logits say, position by position, and whether the cross-attention looks at the token to be written."""

from __future__ import annotations

import torch

from core.contracts.result import Row
from core.topics.decoder.model.inputs import Inputs
from core.topics.decoder.tokens import SPECIAL


def prediction_rows(inputs: Inputs, logits: torch.Tensor) -> list[Row]:
    """The table 'predictions', for the positions of the target text. A token of neither text is shown as '<unseen>'."""
    assert inputs.target is not None  # who calls has logits
    named = dict(enumerate(SPECIAL))
    for text in (inputs.source, inputs.target):
        if text is not None:
            named.update(zip(text.ids.tolist(), text.labels, strict=True))
    rows = []
    answers = torch.softmax(logits[inputs.target_start :].float(), dim=-1).max(dim=-1)
    for offset, wanted in enumerate(inputs.wanted):
        predicted = int(answers.indices[offset])
        position = inputs.target_start + offset
        rows.append(
            {
                "position": position,
                "given": inputs.target.labels[position],
                "wanted": named[wanted],
                "predicted": named.get(predicted, "<unseen>"),
                "probability": float(answers.values[offset]),
                "right": predicted == wanted,
            }
        )
    return rows


def weight_on_wanted(inputs: Inputs, cross: torch.Tensor) -> float | None:
    """Mean probability, in the best head, on the token to be written where the source has it; None where it never does.

    cross [heads, target_len, source_len].
    """
    assert inputs.source is not None  # who calls has a cross-attention
    source = torch.from_numpy(inputs.source.ids)[: inputs.source_visible]
    weights = cross.cpu()[..., : inputs.source_visible]
    found = [
        weights[:, position, source == wanted].sum(-1)
        for position, wanted in enumerate(inputs.wanted)
        if bool((source == wanted).any())
    ]
    return float(torch.stack(found).mean(0).max()) if found else None
