"""Node tasks in Docker containers: each cluster a network, each node an address, each task a container."""
