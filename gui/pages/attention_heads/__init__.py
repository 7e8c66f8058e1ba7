"""The page attention-heads: does it fit, and why is it fast?"""

from gui.pages.attention_heads.page import AttentionHeadsPage

__all__ = ["AttentionHeadsPage"]
