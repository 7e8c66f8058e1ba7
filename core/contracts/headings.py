"""What a topic is called and asks. The navigation and the menus show it before any topic is imported."""

from __future__ import annotations

from dataclasses import dataclass

from core.contracts.text import Text, tr


@dataclass(frozen=True)
class Heading:
    """The id of a topic, its name in the navigation, and its question."""

    id: str
    title: Text
    question: Text


HEADINGS = {
    heading.id: heading
    for heading in (
        Heading("flash-attention", tr("FlashAttention"), tr("Where do the bytes go?")),
        Heading("attention-heads", tr("Attention heads"), tr("Does it fit, and why is it fast?")),
        Heading("masks", tr("Masks"), tr("Who may look at whom?")),
        Heading("decoder", tr("Decoder"), tr("Where do Q, K and V come from?")),
        Heading("quantization", tr("Quantization"), tr("What do 4 bits lose?")),
        Heading("lora", tr("LoRA, AdaLoRA"), tr("Who gets the rank?")),
        Heading("fine-tuning", tr("Fine-tuning"), tr("Which parameters move?")),
        Heading("training", tr("Training stages"), tr("From pretraining to RLHF: what does each stage add?")),
        Heading(
            "dialogue",
            tr("Dialogue"),
            tr("Which tokens of a conversation does a model learn from, and what goes wrong silently?"),
        ),
        Heading("compare", tr("Compare"), tr("Which is faster, and is that more than noise?")),
        Heading("kernel-lab", tr("Kernel lab"), tr("What does my kernel touch?")),
    )
}
"""Every topic by its id, in the order of the navigation in the window."""
