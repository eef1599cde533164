"""Api-version 2017-09-01-preview: the first, flat."""
