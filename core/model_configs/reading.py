"""Reads the user's config.json: a file or the folder that holds it, opened without waiting, and never too large."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from core.contracts.errors import InvalidParams
from core.contracts.text import tr
from core.files import NotRegular, TooLarge, read_regular, reason_of
from core.model_configs.facts import ModelFacts
from core.model_configs.parsing import parse_config
from core.paths import expanded

_CONFIG = "config.json"
_MAX_BYTES = 4 << 20
"""Public ones have up to a few hundred kB, most of it labels of classes."""


def read_model(path: str | Path, field: str | None = None) -> ModelFacts:
    """The facts of the model whose config.json is at `path`, or in the folder `path`.

    Raises InvalidParams for `field` with one sentence: the file cannot be read, is no JSON, or describes no model.
    """
    file = expanded(path, field)
    folder = _is_folder(file)
    if folder:
        file = file / _CONFIG
    name = file.parent.name if file.name == _CONFIG else file.stem
    return parse_config(read_json(file, field), name=name, field=field)


def read_json(file: Path, field: str | None = None) -> dict[str, Any]:
    """The object in a JSON file. Raises InvalidParams with one sentence for anything else."""
    try:
        contents = json.loads(read_regular(file, _MAX_BYTES))
    except FileNotFoundError as error:
        raise InvalidParams(
            tr("{file} does not exist: enter the path of a config.json or of its folder.", file=str(file)), field
        ) from error
    except TooLarge as error:
        raise InvalidParams(
            tr(
                "{file} is larger than any configuration ({limit} MiB): choose the config.json of a model.",
                file=str(file),
                limit=_MAX_BYTES >> 20,
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
    except (ValueError, RecursionError) as error:
        raise InvalidParams(
            tr("{file} is not JSON: choose the config.json of a model.", file=str(file)), field
        ) from error
    if not isinstance(contents, dict):
        raise InvalidParams(
            tr("{file} holds no JSON object: choose the config.json of a model.", file=str(file)), field
        )
    return contents


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False
