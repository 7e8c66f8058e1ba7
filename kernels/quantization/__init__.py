"""Blockwise quantization of weights to 4 and 8 bits. What a format is stands in `formats` (numpy, no torch)."""
