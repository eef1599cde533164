"""Toolkit Caffe: a solver's configuration for the program ``caffe``, or a Python script."""
