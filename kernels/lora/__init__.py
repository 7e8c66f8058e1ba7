"""Products with a frozen weight plus a low-rank update (LoRA), and AdaLoRA's importance. The entry points are in
`api`."""
