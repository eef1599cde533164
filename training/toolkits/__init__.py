"""Toolkits: one folder each, with ``toolkit.py`` and what a node needs for it, and nothing elsewhere."""
