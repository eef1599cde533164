"""Emulated storage: accounts, shares that are ordinary folders, and Azure Files over REST."""
