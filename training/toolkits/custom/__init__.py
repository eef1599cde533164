"""The custom toolkit: a command line, on the master."""
