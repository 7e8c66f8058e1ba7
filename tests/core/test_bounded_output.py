from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from core.bounded_output import FirstAndLast


@given(st.lists(st.text(max_size=9)), st.integers(1, 7))
def test_that_the_beginning_and_the_end_are_kept_and_the_rest_is_counted(parts: list[str], limit: int) -> None:
    kept = FirstAndLast("", limit)
    passed_on = "".join(kept.add(part) for part in parts)
    whole = "".join(parts)
    assert passed_on == kept.first == whole[:limit]
    assert kept.last == whole[limit:][-limit:]
    assert len(kept.first) + kept.dropped + len(kept.last) == len(whole)


def test_that_what_is_dropped_takes_no_memory() -> None:
    kept = FirstAndLast("", 10)
    for number in range(10_000):
        kept.add(f"{number:>8}")
    assert sum(map(len, kept._last)) <= 10 + 8
    assert kept.last.endswith("9999")
