"""Api-version 2018-05-01, the newest: workspaces, experiments, and what they hold."""
