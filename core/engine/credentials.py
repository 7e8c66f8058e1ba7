"""The credentials of a scheduler, its workers and the window: one self-signed certificate with its key.

Whoever holds the files can join, and read and run everything: they are written once by `python main.py credentials`,
for the owner's eyes only (files 0600, in a folder of 0700 unless it exists), and copied by the user to each machine.
The certificate is valid for one year.
"""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import Any

from platformdirs import user_config_path

from core.contracts.errors import MissingRequirement, TilescopeError
from core.contracts.text import Text, tr, verbatim
from core.files import reason_of
from core.installation import command
from core.outside import first_line

CERTIFICATE, KEY = "certificate.pem", "key.pem"


def default_folder() -> Path:
    """Where the credentials are looked for, and written, when no folder is named."""
    return user_config_path("tilescope") / "credentials"


def exist_in(folder: Path) -> bool:
    return all((folder / name).is_file() for name in (CERTIFICATE, KEY))


def missing(folder: Path) -> Text:
    """The sentence for a folder without credentials."""
    return tr(
        "There are no credentials in {folder}: make them with '{command}' and copy the folder to every machine.",
        folder=str(folder),
        command=command("credentials"),
    )


def create(folder: Path) -> None:
    """Write new credentials. Raises TilescopeError where there are some, or where they cannot be written."""
    import distributed

    if exist_in(folder):
        message = tr(
            "There are credentials in {folder} already: delete them first to make new ones.", folder=str(folder)
        )
        raise TilescopeError(message)
    security = distributed.Security.temporary()
    try:
        if not folder.exists():
            folder.mkdir(mode=0o700, parents=True)
            folder.chmod(0o700)  # whatever the umask
        for name, text in ((CERTIFICATE, security.tls_scheduler_cert), (KEY, security.tls_scheduler_key)):
            (folder / name).unlink(missing_ok=True)  # one that is left alone may be readable by others, or a link
            descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(text)
    except OSError as error:
        message = tr(
            "The credentials cannot be written to {folder}: {error}.",
            folder=str(folder),
            error=reason_of(error),
        )
        raise TilescopeError(message) from error


def security(distributed: Any, folder: Path) -> Any:
    """A distributed.Security for all roles. Raises MissingRequirement where the folder has no credentials."""
    if not exist_in(folder):
        raise MissingRequirement(missing(folder))
    certificate, key = str(folder / CERTIFICATE), str(folder / KEY)
    parts = (("cert", certificate), ("key", key))
    roles = {f"tls_{role}_{part}": path for role in ("client", "scheduler", "worker") for part, path in parts}
    return distributed.Security(require_encryption=True, tls_ca_file=certificate, **roles)


def client_context(folder: Path) -> ssl.SSLContext:
    """For a connection to a scheduler without distributed. Raises MissingRequirement where the folder has no
    credentials, and TilescopeError for files that are none."""
    if not exist_in(folder):
        raise MissingRequirement(missing(folder))
    certificate, key = str(folder / CERTIFICATE), str(folder / KEY)
    try:
        context = ssl.create_default_context(cafile=certificate)
        context.check_hostname = False  # the certificate is for all machines
        context.load_cert_chain(certificate, key, password=lambda: "")  # never asks for one at the terminal
    except OSError as error:  # an ssl.SSLError is one
        message = tr(
            "The credentials in {folder} cannot be used ({error}): copy the folder of the scheduler's machine again.",
            folder=str(folder),
            error=verbatim(first_line(error)) if isinstance(error, ssl.SSLError) else reason_of(error),
        )
        raise TilescopeError(message) from error
    return context
