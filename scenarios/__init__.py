"""What to run: scenario definitions, the runner, the command line."""
