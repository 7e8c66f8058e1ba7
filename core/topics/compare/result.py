"""The result of a run of the compare experiment."""

from __future__ import annotations

from dataclasses import dataclass

from core.contracts.result import Result
from core.recordings.run import FamilyRun
from core.topics.compare.params import CompareParams


@dataclass(frozen=True, kw_only=True)
class CompareResult(Result):
    """`run` is what a recording would hold of it: the points so far in a Partial, all of them at the end.

    Times are measured on the device, and 'measured (CPU)' on a CPU; bytes and FLOPs of Triton kernels are traced,
    bands modelled. Triton kernels have no time on a CPU, where only the TTIR interpreter executes them.

    Metrics, of the last point that has outcomes, IMPL being a contender:
      ceiling.{copy,read,matmul}                                                          (measured)
      IMPL.{time_ms,max_abs_error,rms_error,allowed_rms_error}, IMPL.share_of_ceiling     (measured where it ran)
      IMPL.{read_bytes,written_bytes,unique_bytes,product_flops}                          (traced)
      IMPL.{modelled_low_ms,modelled_high_ms}, formula.{flops,least_bytes}                (modelled)
    """

    topic: str = "compare"
    params: CompareParams
    run: FamilyRun | None = None
