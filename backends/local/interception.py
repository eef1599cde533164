"""What a program that knows only Azure's addresses needs in its environment to find the emulator instead."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from batchai_scenario.backends.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchai_scenario.emulator.server import Address

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
_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


def found_address(home: Path) -> Address:
    """Find the emulator that serves a home; MachineError if none does."""
    from batchai_scenario.emulator.server import read_address
    from batchai_scenario.emulator.state.home import Home

    found = read_address(Home(home))
    if found is None:
        raise MachineError(f"no emulator serves {home}.", remedy="Start one with 'scenario emulator serve'.")
    return found


def interception(
    home: Path, address: Address, environment: Mapping[str, str], *, passthrough: bool = False
) -> dict[str, str]:
    """Give the variables; makes the local certificate authority if there is none.

    Args:
        home: The home that the emulator serves.
        address: Where it answers.
        environment: What is set already: the certificates that a program trusts, where other hosts are let
            through, and the folder of the ``az`` command line if somebody chose one.
        passthrough: Let other hosts through.
    """
    from batchai_scenario.emulator.gateway.authority import Authority
    from batchai_scenario.emulator.state.clock import SystemClock
    from batchai_scenario.emulator.state.home import Home

    certificate = Authority(Home(home), SystemClock()).certificate()
    trusted = _bundle(certificate, environment) if passthrough else certificate
    proxy = f"http://127.0.0.1:{address.passthrough_port if passthrough else address.proxy_port}"
    return {
        **dict.fromkeys(_PROXIES, proxy),
        **dict.fromkeys(("NO_PROXY", "no_proxy"), "localhost,127.0.0.1,::1"),
        **dict.fromkeys(_BUNDLES, str(trusted)),
        "NODE_EXTRA_CA_CERTS": str(certificate),
        "NODE_USE_ENV_PROXY": "1",
        **_credentials(home),
        "MSI_ENDPOINT": f"{address.url}/MSI/token",
        # The command line's tokens of the real cloud stay where they are, untouched.
        "AZURE_CONFIG_DIR": environment.get("AZURE_CONFIG_DIR") or str(home / "azure-cli"),
        "AZURE_CORE_COLLECT_TELEMETRY": "false",
    }


def _credentials(home: Path) -> dict[str, str]:
    from batchai_scenario.backends.local.settings import own_credentials
    from batchai_scenario.emulator.identity import development

    own = own_credentials(home)
    return {
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
