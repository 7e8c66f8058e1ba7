"""Why no scheduler answers: every reason is one sentence of its own, and none takes longer than it is given."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import ssl
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from core.contracts.errors import MissingRequirement, TilescopeError
from core.engine.addresses import SchedulerAddress
from core.engine.credentials import CERTIFICATE, KEY
from core.engine.reachability import check_reachable

SCHEDULER_GREETS = b"\x08greeting"


def write_credentials(folder: Path, days: int = 1) -> Path:
    """A certificate for that many days from now, as `credentials.create` writes it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "dask-internal")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=30))
        .not_valid_after(now + datetime.timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    folder.mkdir()
    (folder / CERTIFICATE).write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / KEY).write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder


@pytest.fixture
def good(tmp_path: Path) -> Path:
    return write_credentials(tmp_path / "good")


@contextlib.asynccontextmanager
async def listening(greeting: bytes, folder: Path | None) -> AsyncIterator[int]:
    """A port that greets whoever connects, over TLS where there is a folder, and only those with its credentials."""
    context = None
    if folder is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(folder / CERTIFICATE))
        context.load_cert_chain(folder / CERTIFICATE, folder / KEY)
        context.verify_mode = ssl.CERT_REQUIRED

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            writer.write(greeting)
            await reader.read(1)
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0, ssl=context) as server:
        yield server.sockets[0].getsockname()[1]


def problem(
    credentials: Path | None, greeting: bytes = SCHEDULER_GREETS, server: Path | None = None, scheme: str = "tls"
) -> str:
    """What is said of a port with those credentials; '' where it is reachable."""

    async def check() -> str:
        async with listening(greeting, server) as port:
            try:
                await check_reachable(SchedulerAddress(f"{scheme}://127.0.0.1:{port}", credentials), within_s=0.5)
            except TilescopeError as error:
                return str(error)
            return ""

    return asyncio.run(check())


def test_that_a_scheduler_with_the_same_credentials_is_reached(good: Path) -> None:
    assert problem(good, server=good) == ""
    assert problem(None, scheme="tcp") == ""


def test_that_other_credentials_and_old_ones_are_told_apart(good: Path, tmp_path: Path) -> None:
    assert "does not accept the credentials" in problem(good, server=write_credentials(tmp_path / "other"))
    old = write_credentials(tmp_path / "old", days=-1)
    assert "have expired" in problem(old, server=old)


def test_that_credentials_that_only_the_other_end_refuses_are_other_credentials(good: Path, tmp_path: Path) -> None:
    """In TLS 1.3 the handshake is over here before the other end has looked at the certificate of this one."""
    mine = write_credentials(tmp_path / "mine")
    trusting = tmp_path / "trusting"
    trusting.mkdir()
    (trusting / CERTIFICATE).write_bytes((mine / CERTIFICATE).read_bytes() + (good / CERTIFICATE).read_bytes())
    (trusting / KEY).write_bytes((mine / KEY).read_bytes())
    assert "does not accept the credentials" in problem(trusting, server=good)


@pytest.mark.parametrize(
    ("scheme", "greeting", "said"),
    [
        ("tls", b"HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak TLS"),
        ("tls", b"", "does not speak TLS"),
        ("tcp", b"", "does not greet as a scheduler does"),
    ],
)
def test_that_another_program_is_no_scheduler(good: Path, scheme: str, greeting: bytes, said: str) -> None:
    assert said in problem(good, greeting, scheme=scheme)


def test_that_a_scheduler_with_credentials_is_not_reached_without(good: Path) -> None:
    assert "whose address begins with tls://" in problem(None, server=good, scheme="tcp")


def test_that_a_port_where_nothing_listens_says_so_at_once(good: Path, unused_port: int) -> None:
    started_s = time.monotonic()
    with pytest.raises(TilescopeError, match="refused"):
        asyncio.run(check_reachable(SchedulerAddress(f"tls://127.0.0.1:{unused_port}", good)))
    assert time.monotonic() - started_s < 4


@pytest.fixture
def unused_port() -> int:
    async def find() -> int:
        async with listening(b"", None) as port:
            return port

    return asyncio.run(find())


def test_that_a_name_of_no_machine_is_said(good: Path) -> None:
    with pytest.raises(TilescopeError, match=r"does not answer \("):
        asyncio.run(check_reachable(SchedulerAddress("tls://no-such-machine.invalid:8786", good)))


def damage(file: Path) -> None:
    file.write_text("not a certificate")


@pytest.mark.parametrize("break_it", [lambda folder: damage(folder / CERTIFICATE), lambda folder: damage(folder / KEY)])
def test_that_damaged_credentials_are_one_sentence(good: Path, break_it: Callable[[Path], None]) -> None:
    break_it(good)
    assert "cannot be used" in problem(good)


def test_that_a_folder_without_credentials_says_how_to_make_them(tmp_path: Path) -> None:
    with pytest.raises(MissingRequirement, match=r"python main\.py credentials"):
        asyncio.run(check_reachable(SchedulerAddress("tls://127.0.0.1:9", tmp_path)))
