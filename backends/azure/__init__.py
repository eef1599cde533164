"""The backend ``azure``: Batch AI and Azure Files through their published SDKs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchai_scenario.backends.offers import offered
from batchai_scenario.backends.settings import OPTIONS, AzureSettings

if TYPE_CHECKING:
    from batchai_scenario.backends.base import Backend, BackendOptions
    from batchai_scenario.backends.offers import Plans

__all__ = ["open_backend"]


def _plans() -> Plans:
    from batchai_scenario.backends.azure.planning import AzurePlans

    return AzurePlans()


@offered("Azure Batch AI itself (retired in 2019), or whatever serves its API", options=OPTIONS, plans=_plans)
def open_backend(options: BackendOptions) -> Backend:
    """Open the backend; nothing is sent yet.

    Raises:
        MissingSettings: names every setting that is missing, with its variable.
        UserError: an option or a value that cannot be.
    """
    settings = AzureSettings.read(options)  # before the SDKs are imported: a refusal is quick
    from batchai_scenario.backends.azure.backend import AzureBackend

    return AzureBackend(settings)
