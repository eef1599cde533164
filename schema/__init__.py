"""What a cluster and a job are: bodies and their faults. Imported by all, imports nothing of ours."""
