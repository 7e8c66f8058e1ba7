"""The page lora: how AdaLoRA distributes rank."""

from gui.pages.lora.page import LoraPage

__all__ = ["LoraPage"]
