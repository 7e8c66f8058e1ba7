"""The claims of the masks page."""

from core.claims import Claim

CLAIMS: tuple[Claim, ...] = ()
