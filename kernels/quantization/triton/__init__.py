"""The Triton kernels that quantize, dequantize, and multiply by quantized weights, and the steps that they share."""
