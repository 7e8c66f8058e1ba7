"""How long until the page flash-attention has traced data of this machine, from a cold start on a fresh profile.

Target: 3 s on two quiet cores. The recorded run is there before that, marked as recorded.
"""

from __future__ import annotations

from tests.benchmarks.bench_startup import Moments, report

MOMENTS: Moments = {
    "visible_s": ("window visible (first paint)", ""),
    "page_s": ("page drawn with modelled data", ""),
    "recorded_s": ("recorded run shown", ""),
    "worker_s": ("worker there", ""),
    "live_s": ("live run shown: traced here", "3.0 s"),
}


def main() -> None:
    report(MOMENTS, "live_s", ("--topic", "flash-attention"))


if __name__ == "__main__":
    main()
