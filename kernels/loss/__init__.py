"""Cross-entropy of masked tokens, from logits or straight from hidden states and the weight of the output layer. The
entry points are in `api`."""
