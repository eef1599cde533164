"""The token of the old clients (HTTP Basic, tenant 'common') and a list of subscriptions, with requests."""

import os

import requests

AUTHORITY, MANAGEMENT = "https://login.microsoftonline.com", "https://management.azure.com"
form = {
    "grant_type": "client_credentials",
    "response_type": "client_credentials",
    "resource": "https://management.core.windows.net/",
}
who = (os.environ["AZURE_CLIENT_ID"], os.environ["AZURE_CLIENT_SECRET"])
with requests.Session() as session:
    token = session.post(f"{AUTHORITY}/common/oauth2/token", data=form, auth=who, timeout=20).json()
    bearer = {"Authorization": f"Bearer {token['access_token']}"}
    found = session.get(f"{MANAGEMENT}/subscriptions?api-version=2016-06-01", headers=bearer, timeout=20)
    for item in found.json()["value"]:
        print(item["subscriptionId"], item["state"], bool(item["id"]), bool(item["displayName"]))
