"""decoder: two attentions."""

from core.contracts.text import Text
from core.contracts.topic import Topic
from core.topics.decoder.claims import CLAIMS
from core.topics.decoder.params import DecoderParams
from core.topics.decoder.plan import plan
from core.topics.decoder.result import DecoderResult

TOPIC = Topic(
    id="decoder",
    title=Text("Decoder", "解码器"),
    question=Text("Where do Q, K and V come from?", "Q、K、V 从哪里来？"),
    params=DecoderParams,
    plan=plan,
    experiment="core.topics.decoder.experiment:run",
    claims=CLAIMS,
    result=DecoderResult,
)
