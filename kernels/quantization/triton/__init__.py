"""The Triton kernels that quantize, dequantize, and multiply with what is quantized, with the steps that they share."""
