"""The page decoder: where do Q, K and V come from?"""

from gui.pages.decoder.page import DecoderPage

__all__ = ["DecoderPage"]
