"""quantization: what do 4 bits lose?"""

from core.contracts.headings import HEADINGS
from core.contracts.topic import Topic
from core.topics.quantization.claims import CLAIMS
from core.topics.quantization.details import details
from core.topics.quantization.folder_time import remarks
from core.topics.quantization.params import QuantizationParams
from core.topics.quantization.plan import check, plan
from core.topics.quantization.result import QuantizationResult


def _runs_on(params: QuantizationParams, device: str) -> str:
    """The report, the sample and the models are measured on the CPU; only kernels go elsewhere."""
    return device if params.kernels or params.timing else "cpu"


def _backend(params: QuantizationParams, device: str) -> str:
    if device == "cuda":
        return "CUDA; numpy for the report"
    return "numpy, torch, TTIR interpreter (CPU)" if params.kernels else "numpy and torch"


TOPIC = Topic(
    **vars(HEADINGS["quantization"]),
    params=QuantizationParams,
    plan=plan,
    check=check,
    experiment="core.topics.quantization.experiment:run",
    claims=CLAIMS,
    result=QuantizationResult,
    path_params=("checkpoint", "quantized_file", "model", "text_file", "report"),
    written_params=("report",),
    json_details=details,
    remarks=remarks,
    runs_on=_runs_on,
    backend=_backend,
)
