"""From a job to a launch plan: pure functions."""
