"""Run launch plans on the nodes of a Slurm cluster."""
