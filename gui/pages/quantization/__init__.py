"""The page quantization: what do 4 bits lose?"""

from gui.pages.quantization.page import QuantizationPage

__all__ = ["QuantizationPage"]
