from __future__ import annotations

from pathlib import Path

import pytest

from core.language_model.cache import Cache
from core.language_model.model_config import TINY
from core.language_model.small_model import SmallModel, small_model


@pytest.fixture(scope="session")
def tiny_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("language-models")


@pytest.fixture(scope="session")
def trained(tiny_cache: Path) -> SmallModel:
    """The tiny model, trained once. Tests that change a model use `tiny`."""
    return small_model(TINY, cache=Cache(tiny_cache))


@pytest.fixture
def tiny(trained: SmallModel, tiny_cache: Path) -> SmallModel:
    """A copy of the tiny model for one test, from the cache."""
    return small_model(TINY, cache=Cache(tiny_cache))
