"""A small Debian image, for jobs that need no toolkit."""
