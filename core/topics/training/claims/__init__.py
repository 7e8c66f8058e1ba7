"""Claims that are taught about the stages of training, each with its test."""

from core.topics.training.claims.knowledge import KNOWLEDGE_CLAIMS
from core.topics.training.claims.preferences import PREFERENCE_CLAIMS
from core.topics.training.claims.routes import ROUTE_CLAIMS

CLAIMS = (*KNOWLEDGE_CLAIMS, *PREFERENCE_CLAIMS, *ROUTE_CLAIMS)

__all__ = ["CLAIMS"]
