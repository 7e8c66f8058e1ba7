"""Facts of GPUs, and what follows from them."""
