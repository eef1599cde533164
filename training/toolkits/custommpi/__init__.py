"""Toolkit custom MPI."""
