"""masks: who may look at whom?"""

from core.contracts.text import tr
from core.contracts.topic import Topic
from core.topics.masks.claims import CLAIMS
from core.topics.masks.params import MasksParams
from core.topics.masks.plan import check, plan
from core.topics.masks.result import MasksResult

TOPIC = Topic(
    id="masks",
    title=tr("Masks"),
    question=tr("Who may look at whom?"),
    params=MasksParams,
    plan=plan,
    check=check,
    experiment="core.topics.masks.experiment:run",
    claims=CLAIMS,
    result=MasksResult,
)
