"""Whether a scheduler answers at an address, and if not, why.

Asked before distributed connects: it tries for long, and says little about why it failed. What arrives is not read, but
for its first byte: a scheduler greets whoever connects, once it has accepted the credentials.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from contextlib import suppress

from core.contracts.errors import TilescopeError
from core.contracts.text import Text, tr
from core.engine import credentials
from core.engine.addresses import SchedulerAddress
from core.files import reason_of

ANSWER_WITHIN_S = 5.0
_CERT_HAS_EXPIRED = 10
"""X509_V_ERR_CERT_HAS_EXPIRED of OpenSSL."""


async def check_reachable(address: SchedulerAddress, within_s: float = ANSWER_WITHIN_S) -> None:
    """Raises MissingRequirement without credentials, and TilescopeError with one sentence where no scheduler that
    accepts them greets in time."""
    folder = address.credentials or credentials.default_folder()
    context = credentials.client_context(folder) if address.is_encrypted else None
    writer, is_accepted, is_greeted = None, context is None, False
    try:
        async with asyncio.timeout(within_s):
            reader, writer = await asyncio.open_connection(address.host, address.port)
            if context is not None:
                await writer.start_tls(context)
                is_accepted = True  # by this end: the other one says no by closing the connection
            is_greeted = bool(await reader.read(1))
    except ssl.SSLError as error:
        raise TilescopeError(_handshake_problem(address, error, str(folder))) from error
    except (OSError, EOFError) as error:  # a TimeoutError is an OSError
        if writer is None:
            reason = _reason(error, within_s)
            raise TilescopeError(address.no_answer(reason)) from error
        if isinstance(error, TimeoutError):
            is_accepted = False
    finally:
        if writer is not None:
            with suppress(Exception):
                writer.transport.abort()
    if not is_greeted:
        refuses = context is not None and is_accepted
        raise TilescopeError(_other_credentials(address, str(folder)) if refuses else _not_a_scheduler(address))


def _handshake_problem(address: SchedulerAddress, error: ssl.SSLError, folder: str) -> Text:
    if isinstance(error, ssl.SSLCertVerificationError) and error.verify_code == _CERT_HAS_EXPIRED:
        return tr(
            "The credentials of the scheduler at {address} have expired: make new ones, and copy them to every "
            "machine.",
            address=address.url,
        )
    is_refusal = isinstance(error, ssl.SSLCertVerificationError) or "ALERT" in (error.reason or "")
    return _other_credentials(address, folder) if is_refusal else _not_a_scheduler(address)


def _other_credentials(address: SchedulerAddress, folder: str) -> Text:
    return tr(
        "The scheduler at {address} does not accept the credentials in {folder}: copy the folder that it was started "
        "with to this machine.",
        address=address.url,
        folder=folder,
    )


def _not_a_scheduler(address: SchedulerAddress) -> Text:
    if address.is_encrypted:
        return tr(
            "What listens at {address} does not speak TLS: it is another program, or a scheduler that was started with "
            "--insecure.",
            address=address.url,
        )
    return tr(
        "What listens at {address} does not greet as a scheduler does: it is another program, or a scheduler with "
        "credentials, whose address begins with tls://.",
        address=address.url,
    )


def _reason(error: OSError | EOFError, within_s: float) -> Text:
    match error:
        case TimeoutError():
            return tr("no answer within {seconds:g} s", seconds=within_s)
        case OSError(errno=int(number)) if number > 0:
            return reason_of(OSError(number, os.strerror(number)))  # asyncio has words of its own
        case OSError(errno=int()):
            return reason_of(error)
    return tr("none of its addresses can be reached")
