"""The resource manager: subscriptions, resource groups, providers, long-running operations."""
