"""Api-version 2018-03-01: the first after the preview, flat."""
