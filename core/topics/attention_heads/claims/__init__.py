"""The claims of the attention-heads page, each with its test."""

from core.topics.attention_heads.claims.compute import CLAIMS as COMPUTE
from core.topics.attention_heads.claims.latent import CLAIMS as LATENT
from core.topics.attention_heads.claims.sharing import CLAIMS as SHARING

CLAIMS = (*SHARING, *COMPUTE, *LATENT)
