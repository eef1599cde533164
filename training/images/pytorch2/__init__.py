"""The image of a PyTorch of today."""
