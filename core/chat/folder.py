"""Opens the tokenizer and the chat template of a model folder. None of the folder's code runs."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.chat.folder_settings import FolderSettings, read_settings, unusable
from core.chat.rendering import ChatTemplate
from core.chat.tokenizer import ChatTokenizer, chat_tokenizer
from core.contracts.errors import InvalidParams
from core.contracts.text import Text, tr
from core.files import read_regular, reason_of, stamp
from core.outside import described
from core.paths import expanded

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_TOKENIZER, _CONFIG, _MAP, _TEMPLATE = (
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja",
)  # fmt: skip
_SLOW = ("tokenizer.model", "vocab.json", "vocab.txt", "spiece.model", "tekken.json", "ice_text.model")
_MAX_TOKENIZER_BYTES = 256 << 20
"""Of tokenizer.json. The largest public ones have some 40 MB."""

_MAX_TEMPLATE_BYTES = 1 << 20


def open_tokenizer_folder(
    path: str | Path, field: str | None = "tokenizer"
) -> tuple[ChatTokenizer, ChatTemplate | None]:
    """The tokenizer in tokenizer.json, with the settings of its configuration, and the folder's chat template.

    The template is None where the folder has none. Of several, it is the one called default, or the first. What was
    opened is kept until one of the files changes. Raises InvalidParams for `field` with one sentence: for a folder that
    needs code of its own, one without tokenizer.json, and one that cannot be read.
    """
    folder = expanded(path, field)
    if folder.is_file():
        raise InvalidParams(
            tr("{folder} is a file: choose the folder that holds tokenizer.json.", folder=str(folder)), field
        )
    if not folder.is_dir():
        raise InvalidParams(
            tr("The tokenizer folder {folder} does not exist: check the path.", folder=str(folder)), field
        )
    stamps = tuple(stamp(folder / name) for name in (_TOKENIZER, _CONFIG, _MAP, _TEMPLATE, "config.json"))
    return _opened(folder, field, stamps)


@lru_cache(maxsize=4)
def _opened(folder: Path, field: str | None, stamps: Any) -> tuple[ChatTokenizer, ChatTemplate | None]:
    settings = read_settings(folder, (_CONFIG, _MAP), field)
    tokenizer = _tokenizer(folder, field)
    try:
        _complete(tokenizer, settings)
    except Exception as error:  # whatever the library says of tokens that it cannot take
        raise unusable(folder, _CONFIG, described(error), field) from error
    named = settings.named
    opened = chat_tokenizer(
        tokenizer,
        folder.name,
        bos=named.get("bos_token", ""),
        eos=named.get("eos_token", ""),
        pad=named.get("pad_token", ""),
        unk=named.get("unk_token", ""),
        padding_side=settings.padding_side,
        max_length=settings.max_length,
    )
    source = _template_file(folder, field) or settings.template
    return opened, ChatTemplate(source, folder.name, named) if source else None


def _tokenizer(folder: Path, field: str | None) -> Tokenizer:
    from tokenizers import Tokenizer

    if not (folder / _TOKENIZER).exists():
        raise InvalidParams(_without_tokenizer(folder), field)
    try:
        data = read_regular(folder / _TOKENIZER, _MAX_TOKENIZER_BYTES)
    except OSError as error:
        raise unusable(folder, _TOKENIZER, reason_of(error), field) from error
    try:
        return Tokenizer.from_buffer(data)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic of the library is no Exception
        raise unusable(folder, _TOKENIZER, described(error)[:160], field) from error


def _without_tokenizer(folder: Path) -> Text:
    slow = next((name for name in _SLOW if (folder / name).exists()), None)
    if slow is None:
        return tr(
            "The tokenizer folder {folder} has no tokenizer.json: copy it from the source of the model.",
            folder=str(folder),
        )
    return tr(
        "The tokenizer folder {folder} has {file} but no tokenizer.json: open it once with AutoTokenizer of "
        "transformers and save it with save_pretrained, which writes one.",
        folder=str(folder),
        file=slow,
    )


def _template_file(folder: Path, field: str | None) -> str:
    if not (folder / _TEMPLATE).exists():
        return ""
    try:
        return read_regular(folder / _TEMPLATE, _MAX_TEMPLATE_BYTES).decode("utf-8")
    except OSError as error:
        raise unusable(folder, _TEMPLATE, reason_of(error), field) from error
    except UnicodeDecodeError as error:
        raise unusable(folder, _TEMPLATE, tr("it is not UTF-8 text"), field) from error


def _complete(tokenizer: Tokenizer, settings: FolderSettings) -> None:
    """Adds the tokens that the configuration has and tokenizer.json lacks, as transformers does."""
    from tokenizers import AddedToken

    present = {_signature(token) for token in tokenizer.get_added_tokens_decoder().values()}
    added = [AddedToken(**fields) for fields in settings.added_tokens]
    tokenizer.add_tokens([token for token in added if _signature(token) not in present])
    known = {token.content for token in tokenizer.get_added_tokens_decoder().values()}
    wanted = dict.fromkeys([*settings.named.values(), *settings.extra])
    tokenizer.add_special_tokens(
        [AddedToken(text, special=True, normalized=False) for text in wanted if text not in known]
    )


def _signature(token: Any) -> tuple[Any, ...]:
    return token.content, token.single_word, token.lstrip, token.rstrip, token.normalized, token.special
