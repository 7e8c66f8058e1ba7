"""Reads the user's config.json: a file or the folder that holds it, opened without waiting, and never too large."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from core.contracts.errors import InvalidParams
from core.contracts.text import tr
from core.files import NotRegular, TooLarge, read_object, reason_of
from core.language_model.folder_config import MAX_CONFIG_BYTES
from core.model_configs.facts import ModelFacts
from core.model_configs.parsing import parse_config
from core.paths import expanded

_CONFIG = "config.json"


def read_model(path: str | Path, field: str | None = None) -> ModelFacts:
    """The facts of the model whose config.json is at `path`, or in the folder `path`.

    Raises InvalidParams for `field` with one sentence: the file cannot be read, is no JSON, or describes no model.
    """
    file = expanded(path, field)
    if _is_folder(file):
        file = file / _CONFIG
    name = file.parent.name if file.name == _CONFIG else file.stem
    return parse_config(_read(file, field), name=name, field=field)


def _read(file: Path, field: str | None = None) -> dict[str, Any]:
    """The object in a JSON file. Raises InvalidParams with one sentence for anything else."""
    try:
        return read_object(file, MAX_CONFIG_BYTES)
    except FileNotFoundError as error:
        raise InvalidParams(
            tr("{file} does not exist: enter the path of a config.json or of its folder.", file=str(file)), field
        ) from error
    except TooLarge as error:
        raise InvalidParams(
            tr(
                "{file} is larger than any configuration ({limit} MiB): choose the config.json of a model.",
                file=str(file),
                limit=MAX_CONFIG_BYTES >> 20,
            ),
            field,
        ) from error
    except NotRegular as error:
        raise InvalidParams(
            tr("{file} is not a regular file: choose the config.json of a model.", file=str(file)), field
        ) from error
    except OSError as error:
        raise InvalidParams(
            tr("{file} cannot be read ({reason}): check the path.", file=str(file), reason=reason_of(error)), field
        ) from error
    except ValueError as error:
        raise InvalidParams(
            tr("{file} is not JSON: choose the config.json of a model.", file=str(file)), field
        ) from error
    except TypeError as error:
        raise InvalidParams(
            tr("{file} holds no JSON object: choose the config.json of a model.", file=str(file)), field
        ) from error


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False
