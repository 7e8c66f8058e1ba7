"""The model of the quantization page: numpy and pure functions, fast enough to follow a slider."""
