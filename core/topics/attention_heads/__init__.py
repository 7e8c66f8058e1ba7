"""attention-heads: what do shared KV heads save?"""

from core.contracts.headings import HEADINGS
from core.contracts.topic import Topic
from core.topics.attention_heads.claims import CLAIMS
from core.topics.attention_heads.params import AttentionHeadsParams
from core.topics.attention_heads.plan import check, plan
from core.topics.attention_heads.result import AttentionHeadsResult

TOPIC = Topic(
    **vars(HEADINGS["attention-heads"]),
    params=AttentionHeadsParams,
    plan=plan,
    check=check,
    experiment="core.topics.attention_heads.experiment:run",
    claims=CLAIMS,
    result=AttentionHeadsResult,
    path_params=("config", "model_folder", "text_file"),
    packages=("transformers",),
)
