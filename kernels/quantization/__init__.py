"""Blockwise quantization of weights to 4 and 8 bits: what a format is in `formats` and `tables` (numpy, no torch), what
runs in `api`, which is imported by name so that the formats stay free of torch."""
