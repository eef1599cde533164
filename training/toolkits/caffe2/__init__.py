"""Toolkit Caffe2: a script, one process on each node."""
