"""Data sets by name: a program each, which makes its files in the cache and says where they are."""
