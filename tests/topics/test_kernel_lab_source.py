"""Kernel-lab parses a file without running it."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.contracts.errors import InvalidParams
from core.topics.kernel_lab import TOPIC
from core.topics.kernel_lab.params import DEFAULT_FILE, KernelLabParams
from core.topics.kernel_lab.plan import check, plan
from core.user_code.paths import resolved

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "resources/examples").glob("*.py"))

FILE = """
    import triton
    from elsewhere import imported

    raise RuntimeError("nobody may run this")

    @triton.autotune(configs=[], key=[])
    @triton.jit
    def kernel(x_ptr, BLOCK: triton.language.constexpr):
        pass

    def launch(x, block=4):
        kernel[(1,)](x, BLOCK=block)

    def first():
        launch(None)

    def second(size=3, *, kind="a"):
        return first()

    def helper():
        return 1

    async def later():
        launch(None)

    if True:
        def third():
            kernel[(1,)](None, BLOCK=1)
"""


def written(folder: Path, text: str = FILE) -> KernelLabParams:
    path = folder / "mine.py"
    path.write_text(textwrap.dedent(text))
    return KernelLabParams(file=str(path))


def test_that_functions_kernels_and_candidates_are_told_apart_without_running_the_file(tmp_path: Path) -> None:
    planned = plan(written(tmp_path))
    assert [kernel.name for kernel in planned.kernels] == ["kernel"]
    assert [function.name for function in planned.candidates] == ["first", "second", "third"]
    by_name = {function.name: function for function in planned.source.functions}
    assert by_name["launch"].required_arguments == ("x",)
    assert by_name["helper"].can_be_called
    assert not by_name["helper"].launches
    assert by_name["later"].is_async
    lines = planned.text.splitlines()
    assert all(f"def {name}(" in lines[function.line - 1] for name, function in by_name.items())


def test_that_main_is_meant_where_none_is_named_and_else_the_only_one_that_launches(tmp_path: Path) -> None:
    assert "name one of first, second, third" in str(plan(written(tmp_path)).problem)
    with_main = plan(written(tmp_path, textwrap.dedent(FILE) + "\ndef main():\n    first()\n"))
    assert (with_main.function, str(with_main.problem)) == ("main", "")
    alone = plan(written(tmp_path, "def helper():\n    pass\ndef go(n=2):\n    kernel[(n,)]()\n"))
    assert alone.function == "go"


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        ("kernel", r"kernel \(.*mine.py:9\) is a Triton kernel: name a function that launches it"),
        ("launch", r"launch \(.*mine.py:12\) needs the argument x: give every argument a default"),
        ("later", "later .* is asynchronous"),
        ("thrid", "has no function 'thrid': did you mean third"),
        ("nothing_like_it", "It has first, second, helper, third"),
    ],
)
def test_that_a_function_that_cannot_be_called_is_refused_in_a_sentence(
    tmp_path: Path, function: str, sentence: str
) -> None:
    with pytest.raises(InvalidParams, match=sentence) as caught:
        check(written(tmp_path).changed(function=function))
    assert caught.value.field == "function"


@pytest.mark.parametrize("name", ["first", "imported", "third"])
def test_that_what_may_be_a_function_is_left_to_the_worker(tmp_path: Path, name: str) -> None:
    assert plan(written(tmp_path).changed(function=name)).function == name


UNREADABLE = {
    "syntax error": (b"x = 1\ndef broken(:\n", r":2 is not valid Python"),
    "not text": (b"x = 1\ny = '\xff\xfe'\n", r":2 is not utf-8 text"),
    "unknown encoding": (b"# coding: klingon\n", "is not valid Python: unknown encoding"),
    "null bytes": (b"x = 1\0\n", "null bytes"),
    "too large": (b"#" * (5 << 20), "it is larger than 4.19 MB"),
    "empty": (b"", "has no function that can be called without arguments"),
    "too deep": (b"(" * 5000, "Python"),
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_that_an_unreadable_file_is_one_sentence_with_its_line(tmp_path: Path, case: str) -> None:
    data, fragment = UNREADABLE[case]
    path = tmp_path / "bad.py"
    path.write_bytes(data)
    planned = plan(KernelLabParams(file=str(path)))
    assert fragment in str(planned.problem)
    assert str(path) in str(planned.problem)
    assert "\n" not in str(planned.problem)
    with pytest.raises(InvalidParams, match=r"bad\.py"):
        check(planned.params)


def test_that_a_path_that_is_no_file_is_one_sentence(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for file, fragment in {
        str(tmp_path / "none.py"): "does not exist",
        str(tmp_path): "is a folder",
        str(tmp_path / "pipe"): "is not a regular file",
        "": "No file is set",
        "a\0b": "is not a valid path",
        "~nobody-of-this-name/x.py": "is not a valid path",
    }.items():
        planned = plan(KernelLabParams(file=file))
        assert fragment in str(planned.problem), file
        assert (planned.text, planned.candidates, planned.function) == ("", (), "")


@given(st.text(max_size=60), st.text(max_size=30))
def test_that_no_text_makes_the_plan_raise(file: str, function: str) -> None:
    planned = plan(KernelLabParams(file=file, function=function))
    assert planned.problem or planned.function


def test_that_an_edit_is_seen_by_the_next_plan(tmp_path: Path) -> None:
    params = written(tmp_path, "def one():\n    k[1]()\n")
    assert plan(params).function == "one"
    written(tmp_path, "def two():\n    k[1]()\n")
    assert plan(params).function == "two"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_that_every_example_has_a_kernel_and_a_main(path: Path) -> None:
    planned = plan(KernelLabParams(file=str(path)))
    assert planned.kernels
    assert (planned.function, str(planned.problem)) == ("main", "")


def test_that_the_default_is_found_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert resolved(DEFAULT_FILE) == ROOT / DEFAULT_FILE
    assert plan(TOPIC.params()).function == "main"


def test_that_a_file_that_exists_nowhere_is_missed_in_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert resolved("absent.py") == tmp_path / "absent.py"


def test_that_planning_imports_neither_torch_nor_triton() -> None:
    code = (
        "import sys; from core.contracts.registry import topic; t = topic('kernel-lab');"
        "assert t.plan(t.params()).text;"
        "import core.topics.kernel_lab.analysis; assert not {'torch', 'triton'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)
