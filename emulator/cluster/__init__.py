"""Clusters, nodes and jobs: state machines driven by events and a clock."""
