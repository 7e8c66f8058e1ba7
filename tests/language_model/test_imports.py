"""When libraries are imported, and that their state and names stay separate."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def in_a_fresh_process(code: str, *paths: Path) -> str:
    lines = [f"import sys; sys.path[:0] = {[str(path) for path in (ROOT, *paths)]!r}", code]
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_that_worlds_texts_model_configs_and_caches_need_no_torch() -> None:
    loaded = in_a_fresh_process(
        "import core.language_model.table_task, core.language_model.model_config, core.language_model.shipped\n"
        "print({'torch', 'transformers', 'tokenizers', 'safetensors'} & set(sys.modules))"
    )
    assert loaded.strip() == "set()"


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The output of a fresh process in which Hugging Face's package `kernels` is installed and this project's comes
    first: whether the imports load transformers, whether it finds that package, and the file of `kernels`."""
    folder = tmp_path_factory.mktemp("packages")
    metadata = folder / "kernels-0.15.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: kernels\nVersion: 0.15.0\n")
    return in_a_fresh_process(
        "import core.language_model.small_model, core.language_model.evaluation, core.language_model.folder\n"
        "print('transformers' in sys.modules)\n"
        "from core.language_model.libraries import import_transformers\n"
        "import_transformers()\n"
        "import kernels.attention\n"
        "from transformers import LlamaForCausalLM\n"
        "from transformers.utils import is_kernels_available\n"
        "print(is_kernels_available(), kernels.__file__)",
        folder,
    ).split()


def test_that_transformers_is_not_imported_before_something_needs_it(fresh: list[str]) -> None:
    assert fresh[0] == "False"


def test_that_this_projects_kernels_are_never_taken_for_hugging_faces(fresh: list[str]) -> None:
    assert fresh[1:] == ["False", str(ROOT / "kernels" / "__init__.py")]


def test_that_transformers_is_as_loud_afterwards_as_it_was() -> None:
    from core.language_model.libraries import import_transformers, silent_transformers

    import_transformers()
    from transformers.utils import logging

    before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    with silent_transformers():
        assert not logging.is_progress_bar_enabled()
        assert logging.get_verbosity() == logging.ERROR
    with pytest.raises(KeyError), silent_transformers():
        raise KeyError
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before
