"""What runs inside a node: training scripts, data sets, toolkit environments, container images.

Programs and data only: nobody imports this package; its programs are started as processes of their own.
"""
