"""Run launch plans on this machine: with Docker, or as processes."""
