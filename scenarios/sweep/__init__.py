"""Sweeps: one scenario at many points of its parameters, on one cluster, a job for each."""
