"""A program that has no credentials of its own, for it believes that it runs in Azure."""

from azure.identity import ManagedIdentityCredential

token = ManagedIdentityCredential().get_token("https://management.azure.com/.default")
print("token", token.token.count("."))
