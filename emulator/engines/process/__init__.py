"""Node tasks as processes of this machine, for where there is no container engine."""
