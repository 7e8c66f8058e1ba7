"""One page a topic: topic id to the class that draws it, imported on first visit."""

PAGES: dict[str, str] = {
    "flash-attention": "gui.pages.flash_attention:FlashAttentionPage",
    "kernel-lab": "gui.pages.kernel_lab:KernelLabPage",
    "masks": "gui.pages.masks:MasksPage",
    "decoder": "gui.pages.decoder:DecoderPage",
    "quantization": "gui.pages.quantization:QuantizationPage",
    "lora": "gui.pages.lora:LoraPage",
    "fine-tuning": "gui.pages.fine_tuning:FineTuningPage",
}
