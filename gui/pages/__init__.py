"""One page per topic, named after it: gui.pages.fine_tuning has FineTuningPage. Imported on first visit."""

from core.contracts.registry import TOPICS

PAGES = {
    topic_id: f"gui.pages.{topic_id.replace('-', '_')}:{topic_id.title().replace('-', '')}Page" for topic_id in TOPICS
}
"""Topic id to 'module:class'."""
