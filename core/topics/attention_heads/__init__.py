"""Attention heads: MHA, GQA, MQA and MLA, and what a KV cache needs."""
