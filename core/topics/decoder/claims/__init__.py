"""Statements often taught about the decoder, each with its test."""

from core.topics.decoder.claims.structure import STRUCTURE_CLAIMS
from core.topics.decoder.claims.visibility import VISIBILITY_CLAIMS

CLAIMS = (*STRUCTURE_CLAIMS, *VISIBILITY_CLAIMS)

__all__ = ["CLAIMS"]
