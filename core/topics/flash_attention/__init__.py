"""flash-attention: where do the bytes go?"""

from core.contracts.headings import HEADINGS
from core.contracts.topic import Topic
from core.topics.flash_attention.claims import CLAIMS
from core.topics.flash_attention.params import FlashAttentionParams
from core.topics.flash_attention.plan import check, plan
from core.topics.flash_attention.remarks import remarks
from core.topics.flash_attention.result import FlashAttentionResult

TOPIC = Topic(
    **vars(HEADINGS["flash-attention"]),
    params=FlashAttentionParams,
    plan=plan,
    check=check,
    experiment="core.topics.flash_attention.experiment:run",
    live_experiment="core.topics.flash_attention.experiment:run_untimed",
    cost=lambda params: params.batch * params.heads * params.seq_len * params.key_len * params.head_dim,
    claims=CLAIMS,
    remarks=remarks,
    result=FlashAttentionResult,
)
