"""A small cloud on loopback: Azure Batch AI's wire protocol in front, real processes behind."""
