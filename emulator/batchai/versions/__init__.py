"""API versions: one folder each, with all that is special to it; the registry finds them there."""
