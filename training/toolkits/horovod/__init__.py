"""Toolkit Horovod: a script in several processes, spread over the nodes by mpirun."""
