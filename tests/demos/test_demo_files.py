"""Demo files: what is written is read again, and what is wrong is said in one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import language
from core.contracts.errors import TilescopeError, UnknownName
from core.contracts.place import Place
from core.contracts.written import Written
from core.demos import Demo, InvalidDemo, Step, demo_as_toml, find_demo, parse_demo, read_demo, write_demo
from core.demos.code import runs_foreign_code
from core.demos.demo import LEAST_S, MAX_STEPS, MOST_S
from core.demos.reading import FORMAT, MAX_CAPTION, MAX_FILE_BYTES

HEAD = 'format = 1\ntitle.en = "Title"\n'
STEP = '[[steps]]\npage = "masks"\ncaption.en = "Look."\n'

PLACES = (
    Place("masks"),
    Place("masks", {"preset": "mistral-window", "seq_len": 128}, "mask", {"row": 3, "col": 1}),
    Place("quantization", {"outlier_share": 0.01, "double_quantization": False}, "codebooks", {"format": "nf4"}),
    Place("flash-attention", {"causal": False}, "traffic", {"tensor": "S", "function": "fwd"}),
)

captions = st.builds(
    lambda english, chinese: Written(english or chinese, others=(("zh", chinese),) if chinese else ()),
    st.text(max_size=MAX_CAPTION),
    st.text(max_size=MAX_CAPTION),
).filter(lambda written: bool(written.message))
steps = st.builds(
    Step, st.sampled_from(PLACES), captions, st.booleans(), seconds=st.floats(LEAST_S, MOST_S, allow_nan=False)
)


@settings(deadline=None)  # the first example imports the topics
@given(captions, st.lists(steps, min_size=1, max_size=4))
def test_that_a_demo_is_read_as_it_was_written(title: Written, made: list[Step]) -> None:
    demo = Demo("name", title, tuple(made))
    assert parse_demo(demo_as_toml(demo), "name") == demo


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("format = ", "it is no TOML"),
        (f"format = {FORMAT + 1}", "it is from a newer version of Tilescope, which you need to play it."),
        ("", "it has to begin with format = 1."),
        ("format = true", "it has to begin with format = 1."),
        (STEP, "it has to begin with format = 1."),
        (f"format = 1\n{STEP}", "'title' is missing."),
        (HEAD, "'steps' is missing."),
        (f"{HEAD}steps = []", f"'steps' must be 1 to {MAX_STEPS} tables [[steps]]."),
        (f"{HEAD}step = 1\n{STEP}", "there is no field 'step', did you mean 'steps'."),
        (f'format = 1\ntitle = "Title"\n{STEP}', "'title' must be a text in each language"),
        (f"{HEAD}{STEP}sett = {{}}\n", "in step 1, there is no field 'sett', did you mean 'set'."),
        (f"{HEAD}{STEP}{STEP}seconds = 0\n", "in step 2, 'seconds' must be a number from 0.5 to 600."),
        (f"{HEAD}{STEP}seconds = nan\n", "in step 1, 'seconds' must be a number from 0.5 to 600."),
        (f"{HEAD}{STEP}run = 1\n", "in step 1, 'run' must be true or false."),
        (f"{HEAD}{STEP}set.preset = 2026-01-01\n", "in step 1, 'set' must be a table of parameters"),
        (f"{HEAD}{STEP}alone = true\n", "Step 1: “alone” needs a picture: name it with “card”."),
        (HEAD + STEP.replace("masks", "mask"), "Step 1: There is no topic 'mask': did you mean masks?"),
        (f"{HEAD}{STEP}set.presett = 1\n", "Step 1: There is no parameter 'presett': did you mean preset?"),
        (f'{HEAD}{STEP}set.preset = "x"\n', "Step 1: preset = x is not a choice"),
        (
            f"{HEAD}{STEP}set.heads = 1000\n",
            "Step 1: heads = 1000 cannot be used: it must lie between 1 and 128 heads.",
        ),
        (f'{HEAD}{STEP}card = "bars"\n', "Step 1: The page masks has no picture 'bars'."),
        (
            f"{HEAD}{STEP}select.kernel_view = 'codes'\n",
            "There is no kernel_view 'codes' on the page masks: what it can be is schedule, symmetry, compare, code, "
            "positions.",
        ),
        (f"{HEAD}{STEP}select.tensor = 1\n", "Step 1: Nothing on the page masks is selected as 'tensor'."),
        (f'{HEAD}{STEP}caption.de = "Schau."\n', "Step 1: There is no language 'de': the languages are en, zh."),
        (HEAD.replace("en", "xx") + STEP, "There is no language 'xx': the languages are en, zh."),
        (HEAD + STEP * (MAX_STEPS + 1), f"'steps' must be 1 to {MAX_STEPS} tables [[steps]]."),
    ],
)
def test_that_what_is_wrong_is_said_in_one_sentence(text: str, problem: str) -> None:
    with pytest.raises(InvalidDemo) as caught:
        parse_demo(text, "own")
    assert caught.value.sentence.startswith("The demo 'own' cannot be played")
    assert problem in caught.value.sentence
    assert "\n" not in caught.value.sentence


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_that_any_bytes_are_refused_with_a_sentence(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes(data)
    with pytest.raises(InvalidDemo):
        read_demo(path)


def test_that_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    with pytest.raises(InvalidDemo, match="it does not exist"):
        find_demo(str(tmp_path / "none.toml"))
    with pytest.raises(InvalidDemo, match=r"it is not a regular file|it is a folder"):
        read_demo(tmp_path)
    large = tmp_path / "large.toml"
    large.write_bytes(b"#" * (MAX_FILE_BYTES + 1))
    with pytest.raises(InvalidDemo, match="it is larger than"):
        read_demo(large)


def test_that_a_name_is_one_of_the_demos_that_come_with_the_program() -> None:
    assert find_demo("masks").name == "masks"
    with pytest.raises(UnknownName, match=r"There is no demo 'mask': did you mean masks\?"):
        find_demo("mask")
    with pytest.raises(UnknownName, match=r"There is no demo '!'\. The demos are attention-heads,"):
        find_demo("!")


def test_that_a_caption_is_shown_in_the_language_that_there_is() -> None:
    demo = parse_demo(f"{HEAD}{STEP}caption.zh = '看。'\n".replace('caption.en = "Look."\n', ""), "own")
    assert {demo.steps[0].caption.in_language(code) for code in language.LANGUAGES} == {"看。"}


def test_that_a_demo_that_could_not_be_played_again_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    step = Step(Place("masks", card="bars"), Written("Look."))
    with pytest.raises(InvalidDemo, match="has no picture 'bars'"):
        write_demo(path, Demo("own", Written("Title"), (step,)))
    assert not path.exists()
    with pytest.raises(TilescopeError, match="cannot be written"):
        write_demo(tmp_path / "none" / "own.toml", find_demo("masks"))
    write_demo(path, find_demo("masks"))
    assert read_demo(path).steps == find_demo("masks").steps


def test_that_only_files_of_someone_else_are_foreign_code(tmp_path: Path) -> None:
    def foreign(page: str, **values: str) -> bool:
        return runs_foreign_code(Place(page, values))

    assert foreign("kernel-lab", file=str(tmp_path / "own.py"))
    assert foreign("kernel-lab", file="resources/examples/../../own.py")
    assert not foreign("kernel-lab")
    assert not foreign("kernel-lab", file="resources/examples/race.py")
    assert not foreign("masks")
    assert foreign("compare", family="file", file=str(tmp_path / "own.py"))
