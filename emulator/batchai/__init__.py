"""The resource provider Microsoft.BatchAI."""
