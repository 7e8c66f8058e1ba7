"""masks: who may look at whom?"""

from core.contracts.headings import HEADINGS
from core.contracts.topic import Topic
from core.topics.masks.claims import CLAIMS
from core.topics.masks.params import MasksParams
from core.topics.masks.plan import check, json_details, plan, remarks, score_count
from core.topics.masks.result import MasksResult

TOPIC = Topic(
    **vars(HEADINGS["masks"]),
    params=MasksParams,
    plan=plan,
    check=check,
    experiment="core.topics.masks.experiment:run",
    cost=score_count,
    claims=CLAIMS,
    result=MasksResult,
    json_details=json_details,
    remarks=remarks,
)
