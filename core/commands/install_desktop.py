"""`install-desktop`: Tilescope in the menu of applications, and saved runs that open with a double click. On Linux.

The files are those of freedesktop.org: an entry (Desktop Entry Specification), an icon in the theme hicolor, and a
description of the file type (Shared MIME-info Database). All lie in the user's own data folder.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import platformdirs

from core.contracts.errors import MissingRequirement, TilescopeError
from core.contracts.text import Text, tr
from core.files import reason_of, write_whole
from core.installation import ROOT, command, is_checkout
from core.language import ENGLISH, LANGUAGES
from core.run_files import KIND_NAME, MIME_TYPE, SUFFIX

APPLICATION = "tilescope"
"""The name of the entry and of the icon; the window says it too, so that a desktop knows whose window it is."""

_COMMENT = tr("See what the kernels of large language models do")
_TOOL_TIMEOUT_S = 30.0


def install(*, remove: bool) -> None:
    """Write the files, or remove them, and say so. Raises MissingRequirement on other systems than Linux, and
    TilescopeError where a file cannot be written."""
    if sys.platform != "linux":
        raise MissingRequirement(
            tr(
                "install-desktop works on Linux only: here, start Tilescope with '{command}', or pin its window.",
                command=command(),
            )
        )
    data = platformdirs.user_data_path()
    if remove:
        _remove(data)
    else:
        _install(data)


def _install(data: Path) -> None:
    for path, text in _files(data).items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, text.encode())
        except OSError as error:
            raise TilescopeError(
                tr("{path} cannot be written ({reason}): check its folder.", path=str(path), reason=reason_of(error))
            ) from error
    complete = _tell_the_desktop(data)
    print(
        tr(
            "Tilescope is in the menu of applications, and a double click opens a saved run ({suffix}). '{command}' "
            "undoes this.",
            suffix="*" + SUFFIX,
            command=command("install-desktop --remove"),
        )
    )
    if not complete:
        print(
            tr(
                "The desktop may learn of the file type only after '{install}', and this command again.",
                install="apt-get install shared-mime-info desktop-file-utils",
            )
        )


def _remove(data: Path) -> None:
    paths = [path for path in _files(data) if path.exists()]
    for path in paths:
        try:
            path.unlink()
        except OSError as error:
            raise TilescopeError(
                tr("{path} cannot be removed ({reason}): check its folder.", path=str(path), reason=reason_of(error))
            ) from error
    if paths:
        _tell_the_desktop(data)
        print(tr("Tilescope is no longer in the menu of applications. Saved runs are where they were."))
    else:
        print(tr("There was nothing to remove: Tilescope is not in the menu of applications."))


def _files(data: Path) -> dict[Path, str]:
    icons = data / "icons" / "hicolor" / "scalable"
    icon = (ROOT / "resources" / "icons" / f"{APPLICATION}.svg").read_text(encoding="utf-8")
    return {
        data / "applications" / f"{APPLICATION}.desktop": desktop_entry(_program()),
        data / "mime" / "packages" / f"{APPLICATION}.xml": file_type(),
        icons / "apps" / f"{APPLICATION}.svg": icon,
        icons / "mimetypes" / f"{MIME_TYPE.replace('/', '-')}.svg": icon,
    }


def desktop_entry(program: Sequence[str]) -> str:
    """The entry that starts `program` with the file that was opened, if any."""
    lines = [
        "[Desktop Entry]",
        "Type=Application",
        "Name=Tilescope",
        *_in_all_languages("Comment={text}", "Comment[{code}]={text}", _COMMENT),
        f"Exec={' '.join(_quoted(part) for part in program)} %f",
        f"Icon={APPLICATION}",
        f"StartupWMClass={APPLICATION}",
        f"MimeType={MIME_TYPE};",
        "Categories=Science;ArtificialIntelligence;",
        "Terminal=false",
    ]
    return "\n".join(lines) + "\n"


def file_type() -> str:
    """Saved runs, known by their suffix, and without it by how they begin: `docs/run-files.md`."""
    comments = _in_all_languages(
        "<comment>{text}</comment>", '<comment xml:lang="{code}">{text}</comment>', KIND_NAME, escape
    )
    return f"""\
<?xml version="1.0" encoding="UTF-8"?>
<mime-info xmlns="http://www.freedesktop.org/standards/shared-mime-info">
  <mime-type type={quoteattr(MIME_TYPE)}>
    {" ".join(comments)}
    <sub-class-of type="application/zip"/>
    <magic priority="60">
      <match type="string" offset="0" value="PK\\003\\004">
        <match type="string" offset="30" value={quoteattr("mimetype" + MIME_TYPE)}/>
      </match>
    </magic>
    <glob pattern={quoteattr(f"*{SUFFIX}")}/>
  </mime-type>
</mime-info>
"""


def _in_all_languages(first: str, other: str, text: Text, quote: Callable[[str], str] = str) -> list[str]:
    return [
        (first if code == ENGLISH else other).format(code=code, text=quote(text.in_language(code)))
        for code in LANGUAGES
    ]


def _program() -> list[str]:
    """The command line without arguments, with whole paths: a desktop has a search path of its own."""
    if is_checkout():
        return [sys.executable, str(ROOT / "main.py")]
    script = Path(sysconfig.get_path("scripts")) / APPLICATION
    return [str(script)] if script.is_file() else [sys.executable, "-m", APPLICATION]


def _quoted(part: str) -> str:
    """An argument of Exec: quoted, with its special characters escaped, and that escaped again as any value is."""
    for special in ("\\", '"', "`", "$"):
        part = part.replace(special, f"\\{special}")
    return f'"{part}"'.replace("\\", "\\\\").replace("%", "%%")


def _tell_the_desktop(data: Path) -> bool:
    """Update the databases that desktops read; False where a tool for that is missing or fails."""
    with suppress(OSError):
        os.utime(data / "icons" / "hicolor")  # a changed time makes a cache of icons stale
    done = [
        _ran("update-mime-database", str(data / "mime")),
        _ran("update-desktop-database", str(data / "applications")),
    ]
    return all(done)


def _ran(tool: str, *arguments: str) -> bool:
    path = shutil.which(tool)
    if path is None:
        return False
    try:
        subprocess.run([path, *arguments], capture_output=True, timeout=_TOOL_TIMEOUT_S, check=True)
    except (OSError, subprocess.SubprocessError):
        return False
    return True
