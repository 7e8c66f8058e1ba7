"""Events on their way from a worker: as they were, or refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.contracts.events import Cancelled, Event, Failed, Finished, Partial, Progress, Started
from core.contracts.text import tr, verbatim
from core.engine import wire
from tests.engine.trouble import TroubleParams, TroubleResult
from tests.same_result import same

TEXTS = st.builds(verbatim, st.text()) | st.builds(lambda count: tr("{count} rows", count=count), st.integers(0, 9))


@given(
    st.one_of(
        st.builds(Started, st.text(), st.text()),
        st.builds(Progress, st.floats(allow_nan=False), st.floats(allow_nan=False), TEXTS),
        st.builds(Failed, TEXTS, st.text(), st.none() | st.text(), st.booleans()),
        st.builds(Cancelled, TEXTS),
    )
)
def test_that_an_event_arrives_as_it_left(event: Event) -> None:
    assert wire.unpack(wire.pack(event), TroubleResult) == event


def test_that_numbers_of_numpy_arrive_as_numbers() -> None:
    event = wire.unpack(wire.pack(Progress(np.int64(3), np.float32(0.5), tr("counting"))), TroubleResult)
    assert event == Progress(3, 0.5, tr("counting"))


@pytest.mark.parametrize("kind", [Partial, Finished])
def test_that_a_result_arrives_with_its_type(kind: type[Partial] | type[Finished]) -> None:
    result = TroubleResult(params=TroubleParams(count=5), numbers={"a.b": np.arange(5)}, done=2)
    event = wire.unpack(wire.pack(kind(result)), TroubleResult)
    assert isinstance(event, kind)
    assert same(event.result, result)


def test_that_the_duration_of_a_run_arrives() -> None:
    result = TroubleResult(params=TroubleParams())
    event = wire.unpack(wire.pack(Finished(result, 0.25, is_warm=True)), TroubleResult)
    assert isinstance(event, Finished)
    assert (event.seconds, event.is_warm) == (0.25, True)


@pytest.mark.parametrize("seconds", ["-1", "NaN", "Infinity", '"soon"', "null", "[1]"])
def test_that_what_is_no_duration_is_none(seconds: str) -> None:
    packed = wire.pack(Finished(TroubleResult(params=TroubleParams()), 0.25)).replace(b"0.25", seconds.encode(), 1)
    event = wire.unpack(packed, TroubleResult)
    assert isinstance(event, Finished)
    assert event.seconds is None


_NO_EVENTS = {
    "nothing": b"",
    "a list": b"[]\n",
    "an unknown event": b'{"event": "Exec"}\n',
    "a list as the event": b'{"event": [1]}\n',
    "missing values": b'{"event": "Progress"}\n',
    "a pickle": b"\x80\x04.",
    "deep JSON": b"[" * 100_000,
}


@pytest.mark.parametrize("data", _NO_EVENTS.values(), ids=_NO_EVENTS)
def test_that_what_is_no_event_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        wire.unpack(data, TroubleResult)
    with pytest.raises(ValueError):  # noqa: PT011
        wire.kind_of(data) if b"Progress" not in data else wire.unpack(data, TroubleResult)
