"""Facts about GPUs and this machine, the roofline model, and timing."""
