"""Microsoft.Storage behind the resource manager: accounts, services, shares, containers, signatures."""
