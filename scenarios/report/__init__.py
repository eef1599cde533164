"""Reporters: what becomes of a run's events (a live screen, plain lines, JSON lines)."""
