"""The claims of the FlashAttention page, each with its test: exactness, scores, FLOPs, bytes and speed."""

from __future__ import annotations

from core.topics.flash_attention.claims import exactness, scores, speed, traffic

CLAIMS = (*exactness.CLAIMS, *scores.CLAIMS, *traffic.CLAIMS, *speed.CLAIMS)
