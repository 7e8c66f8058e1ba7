"""quantization: what do 4 bits lose?"""

from core.contracts.text import Text
from core.contracts.topic import Topic
from core.topics.quantization.claims import CLAIMS
from core.topics.quantization.model.plan import check, plan
from core.topics.quantization.params import QuantizationParams

TOPIC = Topic(
    id="quantization",
    title=Text("Quantization", "量化"),
    question=Text("What do 4 bits lose?", "4 bit 丢掉了什么？"),
    params=QuantizationParams,
    plan=plan,
    check=check,
    experiment="core.topics.quantization.experiment:run",
    claims=CLAIMS,
)
