"""Enough of Azure Blob storage for Batch AI's clients: containers and block blobs over plain folders."""
