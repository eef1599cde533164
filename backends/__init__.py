"""Where a scenario can run: one interface, and one module for each place."""
