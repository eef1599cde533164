"""The local certificate authority: made on first use, good for Azure's host names and for nothing else."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import ssl
import threading
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from batchai_scenario.emulator.clouds import fixed_hosts, storage_domains

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

    from batchai_scenario.emulator.state.clock import Clock
    from batchai_scenario.emulator.state.home import Home

LIFETIME = timedelta(days=5 * 365)
"""How long the authority is good for."""

LEAF_LIFETIME = timedelta(days=90)
"""How long a certificate for the hosts is good for; strict clients take no more than 397 days."""

_RENEW_BEFORE = timedelta(days=30)
_BACKDATED = timedelta(days=1)
"""How long ago a certificate begins: the machine's clock may be set back by as much."""
"""A client's clock may be a little slow."""

_ORGANISATION = "Batch AI emulator on this machine"


@dataclass(frozen=True, slots=True)
class AuthorityScope:
    """What an authority may sign for: hosts and all below them, and addresses; ``names`` are a server's."""

    folder: str
    hosts: tuple[str, ...]
    names: tuple[str, ...]
    networks: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()


def azure() -> AuthorityScope:
    """Give the scope of the authority for Azure's hosts."""
    hosts = (*fixed_hosts(), *storage_domains())
    return AuthorityScope("", hosts, (*fixed_hosts(), *(f"*.{domain}" for domain in storage_domains())))


LOOPBACK = AuthorityScope(
    "loopback", ("localhost",), ("localhost",), ("127.0.0.0/8", "::1/128"), ("127.0.0.1", "::1")
)
"""The scope of the authority for the emulator's own address, which is another one."""


class Authority:
    """Makes the authority of a home, and certificates from it.

    C1. Nothing is made before it is asked for. Several processes that ask first get the same authority.
    C2. The authority's key is in one file of the home (0600), with its certificate; it is never put into
        any trust store. ``certificate`` is that certificate alone.
    C3. The authority may sign for Azure's hosts in ``emulator.clouds`` only: a critical name constraint says
        so, and clients refuse what it signed for others. That for this machine's own loopback (``LOOPBACK``)
        is another one, and may sign for nothing else either.
    C4. The key of a certificate for hosts is nowhere but in memory, apart from the moment that TLS reads it.
    C5. What is near its end, or damaged, is made anew: the authority whenever it is asked for, the hosts'
        certificate while the emulator serves. So is an authority of an earlier version that knew fewer hosts.
    """

    def __init__(self, home: Home, clock: Clock, scope: AuthorityScope | None = None) -> None:
        self._scope = scope or azure()
        self._folder = home.authority / self._scope.folder
        self._clock = clock
        self._lock = threading.Lock()
        self._context: ssl.SSLContext | None = None
        self._renew_at: datetime | None = None

    def certificate(self) -> Path:
        """Give the file (PEM) that clients are to trust; makes the authority if there is none (C1)."""
        with self._lock:
            return self._certificate()

    def context(self) -> ssl.SSLContext:
        """Give what ends TLS for Azure's hosts (C4, C5)."""
        with self._lock:
            now = self._clock.now()
            if self._context is None or self._renew_at is None or now >= self._renew_at:
                self._context = self._new_context(now)
                self._renew_at = now + LEAF_LIFETIME - _RENEW_BEFORE
            return self._context

    def _certificate(self) -> Path:
        authority, _ = self._authority()
        public = self._folder / "ca.pem"
        data = _pem(authority)
        if not public.exists() or public.read_bytes() != data:
            draft = self._draft()
            _write(draft, data, 0o644)
            draft.replace(public)
        return public

    def _authority(self) -> tuple[x509.Certificate, EllipticCurvePrivateKey]:
        """Read the authority's file, or make it (C1, C2)."""
        now = self._clock.now()
        file = self._folder / "ca.key"
        if not file.exists():
            self._make(file, now)
        try:
            found = _read(file)
        except (ValueError, TypeError):  # damaged: programs that trusted it are told of the next one
            found = None
        ending = found is None or found[0].not_valid_after_utc - now < _RENEW_BEFORE
        if found is None or ending or not _may_sign(found[0], self._scope):
            self._make(file, now, replaced=file.stat().st_ino)
            found = _read(file)
        return found

    def _make(self, file: Path, now: datetime, *, replaced: int | None = None) -> None:
        from cryptography.hazmat.primitives.asymmetric import ec

        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        key = ec.generate_private_key(ec.SECP256R1())
        draft = self._draft()
        _write(draft, _key_pem(key) + _pem(_new_authority(key, now, self._scope)), 0o600)
        if replaced is not None and file.stat().st_ino == replaced:
            draft.replace(file)
            return
        with contextlib.suppress(FileExistsError):
            file.hardlink_to(draft)  # whoever was first wins (C1)
        draft.unlink()

    def _new_context(self, now: datetime) -> ssl.SSLContext:
        from cryptography.hazmat.primitives.asymmetric import ec

        self._certificate()
        authority, authority_key = self._authority()
        key = ec.generate_private_key(ec.SECP256R1())
        names = list(self._scope.names)
        leaf = issue(authority, authority_key, key, names, now, addresses=self._scope.addresses)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        draft = self._draft()
        _write(draft, _key_pem(key) + _pem(leaf), 0o600)
        try:
            context.load_cert_chain(draft)
        finally:
            draft.unlink()
        return context

    def _draft(self) -> Path:
        return self._folder / f"draft.{os.getpid()}.{threading.get_ident()}"


def issue(
    authority: x509.Certificate,
    authority_key: EllipticCurvePrivateKey,
    key: EllipticCurvePrivateKey,
    names: list[str],
    now: datetime,
    *,
    addresses: Sequence[str] = (),
) -> x509.Certificate:
    """Sign a server's certificate for host names and addresses; it is good for ``LEAF_LIFETIME``."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import ExtendedKeyUsageOID

    alternatives: list[x509.GeneralName] = [x509.DNSName(name) for name in names]
    alternatives += [x509.IPAddress(ipaddress.ip_address(text)) for text in addresses]
    signer = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return (
        x509.CertificateBuilder()
        .subject_name(_name("Azure's host names, emulated"))
        .issuer_name(authority.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now - _BACKDATED + LEAF_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(signer), critical=False)
        .sign(authority_key, hashes.SHA256())
    )


def _new_authority(key: EllipticCurvePrivateKey, now: datetime, scope: AuthorityScope) -> x509.Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    # The serial number in the name keeps two homes' authorities apart in a client that trusts both.
    serial = x509.random_serial_number()
    name = _name(f"Batch AI emulator authority {serial:x}"[:60])
    allowed: list[x509.GeneralName] = [x509.DNSName(host) for host in scope.hosts]
    allowed += [x509.IPAddress(ipaddress.ip_network(text)) for text in scope.networks]
    # No names but DNS names are constrained by these: addresses are shut out one family at a time.
    shut_out: list[x509.GeneralName] = [
        x509.IPAddress(ipaddress.ip_network(text)) for text in ("0.0.0.0/0", "::/0") if not scope.networks
    ]
    own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now - _BACKDATED + LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.NameConstraints(allowed, shut_out or None), critical=True)
        .add_extension(own, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own), critical=False)
        .sign(key, hashes.SHA256())
    )


def _may_sign(authority: x509.Certificate, scope: AuthorityScope) -> bool:
    """Tell whether an authority may sign for every host that there is by now (C3)."""
    from cryptography import x509

    try:
        permitted = authority.extensions.get_extension_for_class(
            x509.NameConstraints
        ).value.permitted_subtrees
    except x509.ExtensionNotFound:
        return False
    return {x509.DNSName(host) for host in scope.hosts} <= set(permitted or ())


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common: str) -> x509.Name:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, _ORGANISATION),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


def _pem(certificate: x509.Certificate) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.PEM)


def _key_pem(key: EllipticCurvePrivateKey) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _read(file: Path) -> tuple[x509.Certificate, EllipticCurvePrivateKey]:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    data = file.read_bytes()
    key = load_pem_private_key(data, None)
    if not isinstance(key, EllipticCurvePrivateKey):
        raise TypeError(f"{file} holds no key of ours")
    return x509.load_pem_x509_certificate(data[data.index(b"-----BEGIN CERTIFICATE") :]), key


def _write(file: Path, data: bytes, mode: int) -> None:
    file.unlink(missing_ok=True)
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(handle)  # what programs trust must not be an empty file after a power cut
