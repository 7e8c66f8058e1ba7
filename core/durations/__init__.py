"""How long runs take: what this machine and the recording say, and what that predicts for others. No torch."""

from typing import TYPE_CHECKING

from core.lazy_names import lazy_names

if TYPE_CHECKING:
    from core.durations.live import LIVE_WITHIN_S, may_be_live
    from core.durations.predictor import Prediction, Predictor
    from core.durations.recorded import RECORDED, RecordedRun, RecordedRuns, recorded_runs
    from core.durations.timing import Timing, timings_of

__getattr__ = lazy_names(
    __name__,
    {
        "live": ("LIVE_WITHIN_S", "may_be_live"),
        "predictor": ("Prediction", "Predictor"),
        "recorded": ("RECORDED", "RecordedRun", "RecordedRuns", "recorded_runs"),
        "timing": ("Timing", "timings_of"),
    },
)

__all__ = [
    "LIVE_WITHIN_S",
    "RECORDED",
    "Prediction",
    "Predictor",
    "RecordedRun",
    "RecordedRuns",
    "Timing",
    "may_be_live",
    "recorded_runs",
    "timings_of",
]
