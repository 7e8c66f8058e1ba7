"""flash-attention: where do the bytes go?"""

from core.contracts.text import tr
from core.contracts.topic import Topic
from core.topics.flash_attention.claims import CLAIMS
from core.topics.flash_attention.params import FlashAttentionParams
from core.topics.flash_attention.plan import check, plan
from core.topics.flash_attention.result import FlashAttentionResult

TOPIC = Topic(
    id="flash-attention",
    title=tr("FlashAttention"),
    question=tr("Where do the bytes go?"),
    params=FlashAttentionParams,
    plan=plan,
    check=check,
    experiment="core.topics.flash_attention.experiment:run",
    claims=CLAIMS,
    result=FlashAttentionResult,
)
