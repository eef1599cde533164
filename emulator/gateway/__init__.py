"""The front door: one ASGI application that hands each request to the service it is meant for."""
