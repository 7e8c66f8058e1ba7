"""What tokenizer_config.json and special_tokens_map.json say of a tokenizer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.contracts.errors import InvalidParams
from core.contracts.text import Text, tr
from core.files import read_object, reason_of

_MAX_BYTES = 32 << 20
_MAX_TOKEN = 4_096
"""Characters of an added token."""

_UNLIMITED = 10**9
"""transformers writes 10^30 where a tokenizer has no longest text."""

_FLAGS = ("single_word", "lstrip", "rstrip", "normalized", "special")


@dataclass(frozen=True)
class FolderSettings:
    """`named` are the special tokens that templates know by name (bos_token, ...), `extra` the others. `added_tokens`
    are the arguments of each added token, in the order of their ids. `template` is '' where there is none.

    `add_bos_token` and `add_eos_token` are not among them: like transformers, `folder` goes by tokenizer.json alone.
    """

    named: Mapping[str, str]
    extra: tuple[str, ...]
    added_tokens: tuple[dict[str, Any], ...]
    padding_side: str
    max_length: int | None
    template: str


def read_settings(folder: Path, names: Sequence[str], field: str | None) -> FolderSettings:
    """The settings in these files of the folder; what an earlier file says wins. A file that is not there says nothing.

    Raises InvalidParams if one cannot be read, or asks for code of the folder.
    """
    config: dict[str, Any] = {}
    for name in names:
        config = {**_object(folder, name, field), **config}
    _refuse_code(folder, config, field)
    _refuse_code(folder, _object(folder, "config.json", field), field)
    extra = config.get("extra_special_tokens") or config.get("additional_special_tokens") or []
    named = {key: text for key, value in config.items() if key.endswith("_token") and (text := _content(value))}
    for key, value in extra.items() if isinstance(extra, Mapping) else ():
        named |= {str(key): text for text in [_content(value)] if text}
    length = config.get("model_max_length")
    return FolderSettings(
        named=named,
        extra=tuple(text for value in (extra if isinstance(extra, list) else ()) if (text := _content(value))),
        added_tokens=tuple(_added_tokens(config.get("added_tokens_decoder"))),
        padding_side="left" if config.get("padding_side") == "left" else "right",
        max_length=int(length) if isinstance(length, int | float) and 0 < length < _UNLIMITED else None,
        template=_template(config.get("chat_template")),
    )


def _object(folder: Path, name: str, field: str | None) -> dict[str, Any]:
    path = folder / name
    if not path.exists():
        return {}
    try:
        return read_object(path, _MAX_BYTES)
    except OSError as error:
        raise unusable(folder, name, reason_of(error), field) from error
    except (ValueError, TypeError) as error:
        raise unusable(folder, name, tr("it is no JSON object"), field) from error


def unusable(folder: Path, file: str, reason: Text | str, field: str | None) -> InvalidParams:
    """The error for a file of the folder that cannot be read, or says what cannot be."""
    return InvalidParams(
        tr(
            "The tokenizer folder {folder} has a {file} that cannot be used ({reason}): copy it again from the source "
            "of the model.",
            folder=str(folder),
            file=file,
            reason=reason,
        ),
        field,
    )


def _refuse_code(folder: Path, config: Mapping[str, Any], field: str | None) -> None:
    """transformers would run the Python file that `auto_map` names for AutoTokenizer. Code for the model alone does not
    matter here."""
    mapped = config.get("auto_map")
    wanted = mapped.get("AutoTokenizer") if isinstance(mapped, Mapping) else mapped
    if not wanted and not config.get("trust_remote_code"):
        return
    module = next((str(name) for name in ([wanted] if isinstance(wanted, str) else wanted or []) if name), "")
    raise InvalidParams(
        tr(
            "The tokenizer folder {folder} asks to run code of its own ({code}), which is never done here: save the "
            "tokenizer without it, as tokenizer.json.",
            folder=str(folder),
            code=module or "trust_remote_code",
        ),
        field,
    )


def _content(value: Any) -> str:
    """The text of a token, written as text or as an object; '' for anything else."""
    text = value.get("content") if isinstance(value, Mapping) else value
    return text if isinstance(text, str) and len(text) <= _MAX_TOKEN else ""


def _added_tokens(decoder: Any) -> list[dict[str, Any]]:
    if not isinstance(decoder, Mapping):
        return []
    numbered = [
        (int(key), value)
        for key, value in decoder.items()
        if str(key).isdecimal() and len(str(key)) < 10 and isinstance(value, Mapping) and _content(value)
    ]
    return [
        {"content": _content(value), **{flag: value[flag] for flag in _FLAGS if isinstance(value.get(flag), bool)}}
        for _, value in sorted(numbered, key=lambda item: item[0])
    ]


def _template(value: Any) -> str:
    """The template; of several the one called default, else the first."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        value = {item.get("name"): item.get("template") for item in value if isinstance(item, Mapping)}
    if not isinstance(value, Mapping):
        return ""
    texts = [text for text in (value.get("default"), *value.values()) if isinstance(text, str)]
    return texts[0] if texts else ""
