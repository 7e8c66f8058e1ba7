"""The page flash-attention: where do the bytes go?"""

from gui.pages.flash_attention.page import FlashAttentionPage

__all__ = ["FlashAttentionPage"]
