"""What readers are taught of the decoder, each with the test of it."""

from core.claims import Claim

CLAIMS: tuple[Claim, ...] = ()

__all__ = ["CLAIMS"]
