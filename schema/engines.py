"""The engines that run jobs, by name: said once, for all that offer them."""

ENGINES = ("docker", "process", "slurm")

ENGINE_CHOICES = ("auto", *ENGINES)
"""What can be asked for; ``auto`` takes Docker if it answers, else processes."""
