"""decoder: two attentions."""

from core.contracts.headings import HEADINGS
from core.contracts.topic import Topic
from core.topics.decoder.claims import CLAIMS
from core.topics.decoder.params import DecoderParams
from core.topics.decoder.plan import plan, remarks
from core.topics.decoder.result import DecoderResult

TOPIC = Topic(
    **vars(HEADINGS["decoder"]),
    params=DecoderParams,
    plan=plan,
    experiment="core.topics.decoder.experiment:run",
    claims=CLAIMS,
    result=DecoderResult,
    remarks=remarks,
)
