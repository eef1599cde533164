"""Toolkit TensorFlow: a script in the roles master, worker and parameter server."""
