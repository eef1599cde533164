"""The page: what happens in this emulator, for a person with a browser on this machine."""
