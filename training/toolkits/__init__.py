"""Toolkits: programs that make the environment in which a toolkit runs without a container."""
