"""Opens and runs pages in a window without a display; prints what they show as JSON. Run by test_without_triton.

Arguments: a folder for pictures, and the runs as JSON: by topic, the parameters to set, or null to only open the page.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from core.commands.session import parse_assignments
from core.contracts import registry
from core.contracts.errors import TilescopeError
from gui.window.headless import HeadlessWindow, headless_window
from gui.window.picture import save_picture


def observed(headless: HeadlessWindow, topic_id: str, assignments: list[str] | None, out: Path) -> dict[str, Any]:
    """What a page shows after its run: the sentence of the banner, how the run failed, and its messages."""
    opened = headless.open(topic_id)
    page, failed = opened.page, ""
    headless.set_params(opened, parse_assignments(registry.topic(topic_id), assignments or []))
    planned = page.state.plan is not None
    if assignments is not None:
        headless.begin_run(opened)
        try:
            headless.end_run(opened)
        except TilescopeError as error:
            failed = error.sentence
    headless.wait_until_drawn(opened)
    save_picture(headless.window.body, headless.window.footer, out / f"{topic_id}.png", scale=1.0)
    result = page.state.result
    return {
        "planned": planned,
        "banner": str(page.banner.sentence),
        "failed": failed,
        "metrics": 0 if result is None else len(result.metrics),
        "messages": [] if result is None else [str(message.text) for message in result.messages],
    }


def main() -> None:
    out, runs = Path(sys.argv[1]), json.loads(sys.argv[2])
    with headless_window((1280, 720), theme_name="light", device="auto") as headless:
        print(json.dumps({topic: observed(headless, topic, assignments, out) for topic, assignments in runs.items()}))


if __name__ == "__main__":
    main()
