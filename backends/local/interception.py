"""What a program that knows only Azure's addresses needs in its environment to find the emulator instead."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchai_scenario.emulator.api import Address

REMOVED = (
    "AZURE_AUTHORITY_HOST",
    "AZURE_CLIENT_CERTIFICATE_PATH",
    "AZURE_FEDERATED_TOKEN_FILE",
    "AZURE_PASSWORD",
    "AZURE_RESOURCE_MANAGER",
    "AZURE_STORAGE_ACCOUNT",
    "AZURE_STORAGE_CONNECTION_STRING",
    "AZURE_STORAGE_FILE_URL",
    "AZURE_STORAGE_KEY",
    "AZURE_STORAGE_SAS_TOKEN",
    "AZURE_STORAGE_SUFFIX",
    "AZURE_USERNAME",
    "IDENTITY_ENDPOINT",
    "IDENTITY_HEADER",
    "MSI_SECRET",
)
"""Variables that lead elsewhere, or hold credentials of the real cloud."""

_PROXIES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")
_NODE_PROXY = Path(__file__).with_name("node_proxy.cjs")
_R_PROFILE = Path(__file__).with_name("r_profile.R")
_JAVA_PASSWORD = "changeit"  # noqa: S105 - Java's own for a store of public certificates
_SAMPLES = {
    "CLIENT_ID": "clientId",
    "APPLICATION_SECRET": "clientSecret",
    "CLIENT_SECRET": "clientSecret",
    "ARM_CLIENT_ID": "clientId",
    "ARM_CLIENT_SECRET": "clientSecret",
}
"""What public samples (Node's, first of all) and Terraform call the credentials."""

_SAMPLES_ANY = {
    "DOMAIN": "tenantId",
    "TENANT_ID": "tenantId",
    "SUBSCRIPTION_ID": "subscriptionId",
    "ARM_TENANT_ID": "tenantId",
    "ARM_SUBSCRIPTION_ID": "subscriptionId",
}
"""Names that may be something else's. Any tenant and subscription is served: what is set stays."""

_AUTHENTICATION = {
    "activeDirectoryEndpointUrl": "https://login.microsoftonline.com",
    "resourceManagerEndpointUrl": "https://management.azure.com/",
    "activeDirectoryGraphResourceId": "https://graph.windows.net/",
    "sqlManagementEndpointUrl": "https://management.core.windows.net:8443/",
    "galleryEndpointUrl": "https://gallery.azure.com/",
    "managementEndpointUrl": "https://management.core.windows.net/",
}
_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


def interception(
    home: Path, address: Address, environment: Mapping[str, str], *, passthrough: bool = False
) -> dict[str, str]:
    """Give the variables; makes the local certificate authority if there is none.

    Args:
        home: The home that the emulator serves.
        address: Where it answers.
        environment: What is set already: the certificates that a program trusts, where other hosts are let
            through, the folder of the ``az`` command line if somebody chose one, and samples' names of
            tenant and subscription, of which any is served.
        passthrough: Let other hosts through.
    """
    from batchai_scenario.emulator.api import Authority, Home, SystemClock

    certificate = Authority(Home(home), SystemClock()).certificate()
    trusted = _bundle(certificate, environment) if passthrough else certificate
    proxy = f"http://127.0.0.1:{address.passthrough_port if passthrough else address.proxy_port}"
    return {
        **dict.fromkeys(_PROXIES, proxy),
        **dict.fromkeys(("NO_PROXY", "no_proxy"), "localhost,127.0.0.1,::1"),
        **dict.fromkeys(_BUNDLES, str(trusted)),
        "NODE_EXTRA_CA_CERTS": str(certificate),
        "NODE_USE_ENV_PROXY": "1",
        "NODE_OPTIONS": _joined(environment.get("NODE_OPTIONS", ""), f"--require {_quoted(_NODE_PROXY)}"),
        **_r_profile(environment),
        "SCENARIO_PASSTHROUGH": "1" if passthrough else "0",
        "JAVA_TOOL_OPTIONS": _joined(
            environment.get("JAVA_TOOL_OPTIONS", ""), _java_options(certificate, trusted, proxy)
        ),
        **_credentials(home, environment),
        "MSI_ENDPOINT": f"{address.url}/MSI/token",
        # The command line's tokens of the real cloud stay where they are, untouched.
        "AZURE_CONFIG_DIR": environment.get("AZURE_CONFIG_DIR") or str(home / "azure-cli"),
        "AZURE_CORE_COLLECT_TELEMETRY": "false",
    }


def _credentials(home: Path, environment: Mapping[str, str]) -> dict[str, str]:
    from batchai_scenario.backends.local.settings import own_credentials
    from batchai_scenario.emulator.api import development

    own = own_credentials(home)
    values = {
        "tenantId": development.TENANT,
        "clientId": development.CLIENT,
        "clientSecret": own.secret,
        "subscriptionId": development.SUBSCRIPTION,
    }
    return {
        **{name: values[kind] for name, kind in _SAMPLES.items()},
        **{name: environment.get(name) or values[kind] for name, kind in _SAMPLES_ANY.items()},
        "AZURE_AUTH_LOCATION": str(_authentication_file(home, values)),
        "AZURE_TENANT_ID": development.TENANT,
        "AZURE_CLIENT_ID": development.CLIENT,
        "AZURE_CLIENT_SECRET": own.secret,
        "AZURE_SUBSCRIPTION_ID": development.SUBSCRIPTION,
        # Not AZURE_STORAGE_...: the az command line prefers those to the account that it is told to use.
        "SCENARIO_STORAGE_ACCOUNT": development.ACCOUNT,
        "SCENARIO_STORAGE_KEY": own.account_key,
        "SCENARIO_STORAGE_CONNECTION_STRING": (
            f"DefaultEndpointsProtocol=https;AccountName={development.ACCOUNT};"
            f"AccountKey={own.account_key};EndpointSuffix=core.windows.net"
        ),
    }


def _authentication_file(home: Path, values: Mapping[str, str]) -> Path:
    """Write what ``az ad sp create-for-rbac --sdk-auth`` gave: .NET, Java, Go, Node and Python read it."""
    from batchai_scenario.emulator.api import Home

    file = Home(home).credentials.with_name("sdk-auth.json")
    text = json.dumps({**values, **_AUTHENTICATION}, indent=2)
    if not file.is_file() or file.read_text() != text:
        draft = file.with_name(f"{file.name}.{os.getpid()}")
        draft.touch(0o600)
        draft.write_text(text)
        draft.replace(file)
    return file


def _joined(present: str, ours: str) -> str:
    """Add options to those that are set; nothing twice where a program is started by another one of ours."""
    return present if ours in present else f"{present} {ours}".strip()


def _r_profile(environment: Mapping[str, str]) -> dict[str, str]:
    """Put a profile of ours before the user's, which it reads: R's curl heeds no variable for authorities."""
    present = environment.get("R_PROFILE_USER", "")
    own = environment.get("SCENARIO_R_PROFILE", "") if present == str(_R_PROFILE) else present
    return {"R_PROFILE_USER": str(_R_PROFILE), "SCENARIO_R_PROFILE": own}


def _quoted(path: Path) -> str:
    """Write a path as Node's and Java's option lists take it; old ones know no quotes, and need none."""
    return f'"{path}"' if " " in str(path) else str(path)


def _java_options(certificate: Path, trusted: Path, proxy: str) -> str:
    """Give what leads Java to the proxy, which looks at no variables for it, and what it is to trust."""
    store = certificate.with_name(f"{trusted.stem}.p12")
    if not store.exists() or store.stat().st_mtime < trusted.stat().st_mtime:
        draft = store.with_name(f"{store.name}.{os.getpid()}")
        draft.write_bytes(_java_store(trusted))
        draft.replace(store)
    host, _, port = proxy.rpartition("/")[2].partition(":")
    proxies = " ".join(f"-D{kind}.proxyHost={host} -D{kind}.proxyPort={port}" for kind in ("http", "https"))
    return (
        f"{proxies} -Dhttp.nonProxyHosts=localhost|127.* -Djavax.net.ssl.trustStoreType=PKCS12 "
        f"-Djavax.net.ssl.trustStore={_quoted(store)} -Djavax.net.ssl.trustStorePassword={_JAVA_PASSWORD}"
    )


def _java_store(trusted: Path) -> bytes:
    """Write the certificates of a PEM file as Java reads them."""
    import warnings

    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some that a system trusts are oddly made
        certificates = x509.load_pem_x509_certificates(trusted.read_bytes())
    entries = [pkcs12.PKCS12Certificate(one, str(at).encode()) for at, one in enumerate(certificates)]
    return pkcs12.serialize_java_truststore(entries, BestAvailableEncryption(_JAVA_PASSWORD.encode()))


def _bundle(certificate: Path, environment: Mapping[str, str]) -> Path:
    """Write a file that holds the authority's certificate and those that a program would trust without us."""
    import ssl  # heavy, and this module is imported with its package

    chosen = [Path(environment[name]) for name in _BUNDLES if environment.get(name)]
    others = [file for file in chosen if file.is_file() and file.parent != certificate.parent]
    system = ssl.get_default_verify_paths().cafile
    if not others and system:
        others = [Path(system)]
    if not others:
        import certifi

        others = [Path(certifi.where())]
    bundle = certificate.with_name("bundle.pem")
    draft = bundle.with_name(f"bundle.pem.{os.getpid()}")
    draft.write_bytes(certificate.read_bytes() + b"\n" + others[0].read_bytes())
    draft.replace(bundle)
    return bundle
