"""The claims of the masks page."""

from core.contracts.claims import Claim
from core.topics.masks.claims.hiding import HIDING_CLAIMS
from core.topics.masks.claims.shape import SHAPE_CLAIMS

CLAIMS: tuple[Claim, ...] = HIDING_CLAIMS + SHAPE_CLAIMS
