"""Values and sweeps as the user writes them, and one sentence for what cannot be read."""

import pytest

from core.contracts.errors import InvalidParams
from core.contracts.text import tr
from core.families.axes import Axis, case_text, parse_case, parse_sweep

LENGTH = Axis("seq_len", tr("Length"), default=1024, minimum=1, maximum=65536)
MASK = Axis("mask", tr("Mask"), default="causal", choices=("causal", "none"))
WIDTH = Axis("head_dim", tr("Width"), default=64, choices=(32, 64, 128))
AXES = (LENGTH, MASK, WIDTH)


def test_that_values_are_read_by_the_kind_of_their_axis() -> None:
    case = parse_case(AXES, " seq_len = 77, mask=none,head_dim=32; ", "case")

    assert case == {"seq_len": 77, "mask": "none", "head_dim": 32}
    assert parse_case(AXES, case_text(case), "case") == case
    assert parse_case(AXES, "", "case") == {}


def test_that_a_sweep_keeps_its_order_and_takes_each_value_once() -> None:
    assert parse_sweep(AXES, "seq_len=512, 64,512,", "sweep") == (LENGTH, (512, 64))
    assert parse_sweep(AXES, "mask=none,causal", "sweep") == (MASK, ("none", "causal"))
    assert parse_sweep(AXES, "  ", "sweep") is None


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("seq_len=0", "seq_len = 0 cannot be used: it must be a whole number between 1 and 65,536"),
        ("seq_len=1e3", "seq_len = 1e3 cannot be used"),
        ("seq_len=99999999999999999999", "seq_len = 99999999999999999999 cannot be used"),
        ("seq_len=٣", "cannot be used"),
        ("mask=causual", "mask = causual is not a choice: use one of causal, none"),
        ("head_dim=48", "head_dim = 48 is not a choice: use one of 32, 64, 128"),
        ("seqlen=4", "'seqlen' is no parameter of this comparison: did you mean seq_len? It has seq_len, mask"),
        ("zzz=4", "'zzz' is no parameter of this comparison. It has seq_len, mask, head_dim"),
        ("seq_len", "'seq_len' sets nothing: write name=value, for example seq_len=1024"),
    ],
)
def test_that_a_value_that_cannot_be_read_gets_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(InvalidParams) as raised:
        parse_case(AXES, text, "case")

    assert sentence in str(raised.value)
    assert raised.value.field == "case"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("512,1024", "is no sweep: write a parameter and its values, for example seq_len=1024,2048"),
        ("seq_len=", "is no sweep"),
        ("seq_len=" + ",".join(map(str, range(1, 67))), "A sweep has at most 64 values, not 66"),
        ("seq_len=5,x", "seq_len = x cannot be used"),
    ],
)
def test_that_a_sweep_that_cannot_be_read_gets_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(InvalidParams) as raised:
        parse_sweep(AXES, text, "sweep")

    assert sentence in str(raised.value)
    assert raised.value.field == "sweep"
