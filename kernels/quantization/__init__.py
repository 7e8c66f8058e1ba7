"""Blockwise quantization of weights to 4 and 8 bits. `formats` and `tables` define the formats (numpy, no torch). `api`
holds the operations; import it by name, so that the formats stay free of torch."""
