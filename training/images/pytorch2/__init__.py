"""The image that stands for a node's own system."""
