"""Toolkit PyTorch: a script in several ranks, which find one another by the communication backend."""
