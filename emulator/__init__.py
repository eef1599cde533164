"""A small cloud on loopback: Azure Batch AI's wire protocol in front, real processes behind."""

__version__ = "0.1.0"
"""As in pyproject.toml; written here because looking it up takes longer than anything else at the start."""
