"""The local authority: who may read its key, what it may sign for, and how long anything is good."""

from __future__ import annotations

import multiprocessing
import socket
import ssl
import subprocess
import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from batchai_scenario.emulator.clouds import CLOUDS, fixed_hosts, place_of, storage_domains
from batchai_scenario.emulator.gateway.authority import LEAF_LIFETIME, LIFETIME, Authority, issue
from batchai_scenario.emulator.state.clock import ManualClock, SystemClock
from batchai_scenario.emulator.state.home import Home
from tests.lacking import needs_program

if TYPE_CHECKING:
    from pathlib import Path

HOSTS = [*fixed_hosts(), *(f"batchaidevelopment.{domain}" for domain in storage_domains())]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.fixture
def authority(home: Home) -> Authority:
    return Authority(home, SystemClock())


def parts(home: Home) -> tuple[x509.Certificate, Any]:
    data = (home.authority / "ca.key").read_bytes()
    return x509.load_pem_x509_certificate(data), load_pem_private_key(data, None)


def handshake(server: ssl.SSLContext, client: ssl.SSLContext, host: str) -> Any:
    """Let a client and a server shake hands; gives the server's certificate."""
    ours, theirs = socket.socketpair()
    failed: list[Exception] = []

    def serve() -> None:
        try:
            server.wrap_socket(ours, server_side=True).close()
        except (ssl.SSLError, OSError) as error:
            failed.append(error)
            ours.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with client.wrap_socket(theirs, server_hostname=host) as secure:
            return secure.getpeercert(binary_form=True)
    finally:
        theirs.close()
        thread.join()


def forged(home: Home, name: str) -> ssl.SSLContext:
    """Sign a certificate for a name with the authority's key, and serve with it."""
    certificate, key = parts(home)
    own = ec.generate_private_key(ec.SECP256R1())
    signed = issue(certificate, key, own, [name], SystemClock().now())
    file = home.root / "forged.pem"
    file.write_bytes(
        own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        + signed.public_bytes(Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


def test_nothing_is_made_before_it_is_asked_for(home: Home) -> None:
    Authority(home, SystemClock())
    assert not home.authority.exists()


def test_only_its_owner_reads_the_key(home: Home, authority: Authority) -> None:
    public = authority.certificate()
    authority.context()
    assert home.authority.stat().st_mode & 0o777 == 0o700
    assert {file.name: file.stat().st_mode & 0o777 for file in home.authority.iterdir()} == {
        "ca.key": 0o600,
        "ca.pem": 0o644,
    }
    assert b"PRIVATE" not in public.read_bytes()


@pytest.mark.parametrize("host", HOSTS)
def test_a_strict_client_takes_its_certificate_for_azures_hosts(authority: Authority, host: str) -> None:
    client = ssl.create_default_context(cafile=str(authority.certificate()))
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    assert handshake(authority.context(), client, host)


def test_an_authority_that_knows_fewer_hosts_is_made_anew(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as earlier:
        earlier.setattr("batchai_scenario.emulator.gateway.authority.fixed_hosts", lambda: HOSTS[:1])
        old = Authority(home, SystemClock()).certificate().read_bytes()
        assert Authority(home, SystemClock()).certificate().read_bytes() == old
    new = Authority(home, SystemClock())
    assert new.certificate().read_bytes() != old
    client = ssl.create_default_context(cafile=str(new.certificate()))
    assert handshake(new.context(), client, "graph.microsoft.com")
    assert Authority(home, SystemClock()).certificate().read_bytes() == new.certificate().read_bytes()


@pytest.mark.parametrize("host", ["example.com", "portal.azure.com", "evilmanagement.azure.com"])
def test_it_is_not_believed_about_others_even_if_it_signed(
    home: Home, authority: Authority, host: str
) -> None:
    """The name constraint is honoured: the signature is right, the name is right, and still it is refused."""
    client = ssl.create_default_context(cafile=str(authority.certificate()))
    assert handshake(forged(home, HOSTS[0]), client, HOSTS[0])
    with pytest.raises(ssl.SSLCertVerificationError, match="permitted subtree violation"):
        handshake(forged(home, host), client, host)


@needs_program("openssl")
def test_openssl_says_the_same(home: Home, authority: Authority) -> None:
    public = authority.certificate()
    for name, good in ((HOSTS[0], True), ("example.com", False)):
        forged(home, name)
        done = subprocess.run(
            ["openssl", "verify", "-x509_strict", "-CAfile", str(public), str(home.root / "forged.pem")],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode == 0) is good, done.stdout + done.stderr
        assert good or "permitted subtree violation" in done.stderr


def test_lives_are_as_long_as_strict_clients_allow(home: Home, authority: Authority) -> None:
    client = ssl.create_default_context(cafile=str(authority.certificate()))
    leaf = x509.load_der_x509_certificate(handshake(authority.context(), client, HOSTS[0]))
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc <= timedelta(days=397)
    assert leaf.not_valid_before_utc < SystemClock().now() < leaf.not_valid_after_utc
    certificate, _ = parts(home)
    assert certificate.extensions.get_extension_for_class(x509.NameConstraints).critical
    assert certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length == 0


def test_what_nears_its_end_is_made_anew(home: Home) -> None:
    clock = ManualClock()
    authority = Authority(home, clock)
    first, context = authority.certificate().read_bytes(), authority.context()
    clock.advance(days=LEAF_LIFETIME.days - 31)
    assert authority.context() is context
    clock.advance(days=2)
    assert authority.context() is not context
    assert authority.certificate().read_bytes() == first
    clock.advance(days=LIFETIME.days - LEAF_LIFETIME.days)
    second = authority.certificate().read_bytes()
    assert second != first
    assert Authority(home, clock).certificate().read_bytes() == second


def _first(root: Path, gate: Any, told: Any) -> None:
    gate.wait()
    told.put(Authority(Home(root), SystemClock()).certificate().read_bytes())


def test_two_that_ask_first_get_the_same(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    gate, told = context.Barrier(2), context.Queue()
    asking = [context.Process(target=_first, args=(tmp_path, gate, told)) for _ in range(2)]
    for process in asking:
        process.start()
    answers = {told.get(timeout=60) for _ in asking}
    for process in asking:
        process.join()
    assert answers == {(tmp_path / "emulator" / "authority" / "ca.pem").read_bytes()}


def test_hosts_are_told_apart() -> None:
    for cloud in CLOUDS:
        place = place_of(f"acct.file.{cloud.storage_suffix}:443")
        assert place is not None
        assert (place.kind, place.account, place.cloud) == ("file", "acct", cloud)
        blob = place_of(f"ACCT.BLOB.{cloud.storage_suffix}.")
        assert blob is not None
        assert (blob.kind, blob.account) == ("blob", "acct")
        management = place_of(cloud.management)
        assert management is not None
        assert management.kind == "management"
    for other in ("", "file.core.windows.net", "a.b.file.core.windows.net", "x.queue.core.windows.net"):
        assert place_of(other) is None
    for other in ("management.azure.com.evil.net", "evil-management.azure.com", "127.0.0.1:80", "[::1]:80"):
        assert place_of(other) is None
