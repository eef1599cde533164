"""A run or a sweep as one file that can be handed on: ``scenario report``."""
