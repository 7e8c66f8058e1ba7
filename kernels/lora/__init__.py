"""Products with a frozen weight and a low-rank update of it (LoRA), and AdaLoRA's importance: what runs is in `api`."""
