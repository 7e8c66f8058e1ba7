"""The page lora: who gets the rank?"""

from gui.pages.lora.page import LoraPage

__all__ = ["LoraPage"]
