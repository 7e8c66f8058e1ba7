from __future__ import annotations

import numpy as np
from hypothesis import given, settings

from core.trace.address_map import bands_of
from core.trace.levels import AddressLevels
from core.trace.order import Order
from core.trace.record import Launch
from tests.trace.random_launches import elements, launches


@settings(max_examples=60, deadline=None)
@given(launches())
def test_that_the_axis_is_that_of_the_address_map(launch: Launch) -> None:
    order = Order([launch])
    drawn = AddressLevels([launch], bands_of([launch])).picture(8, 8)
    programs = [program for _, program, _ in elements(launch)]
    assert np.array_equal(order.accesses_of_program(), np.bincount(programs, minlength=launch.programs))
    assert np.array_equal(order.edges, drawn.program_edges)
    assert order.accesses == drawn.accesses == len(programs)


@settings(max_examples=60, deadline=None)
@given(launches())
def test_that_walking_the_axis_meets_every_element_once_in_order(launch: Launch) -> None:
    order = Order([launch])
    walked = [order.moment_at(x + 0.5) for x in range(int(order.accesses))]
    expected = [
        (program, access.order, element)
        for program in range(launch.programs)
        for access in launch.accesses
        for lane in np.flatnonzero(access.programs == program)
        for element in range(int(access.active()[lane].sum()))
    ]
    assert [(m.program, m.access.order, m.element) for m in walked if m is not None] == expected
    assert order.moment_at(-1) is None
    assert order.moment_at(order.accesses) is None
    for moment in walked:
        assert moment is not None
        begin = order.time_of(moment.program, moment.access.order)
        assert begin is not None
        assert begin <= order.edges[-1]


@settings(max_examples=40, deadline=None)
@given(launches(), launches())
def test_that_launches_follow_each_other_on_one_axis(first: Launch, second: Launch) -> None:
    whole, parts = Order([first, second]), (Order([first]), Order([second]))
    assert whole.programs == first.programs + second.programs
    assert np.array_equal(np.diff(whole.edges), np.concatenate([part.accesses_of_program() for part in parts]))
    for number, part in enumerate(parts):
        begin, programs = number * parts[0].accesses, number * first.programs
        for x in range(int(part.accesses)):
            here, alone = whole.moment_at(begin + x), part.moment_at(x)
            assert here is not None
            assert alone is not None
            assert (here.launch, here.program) == (number, alone.program + programs)
            assert here.access is alone.access
            assert here.element == alone.element
            assert whole.time_of(here.program, here.access.order) == begin + part.time_of(
                alone.program, alone.access.order
            )
