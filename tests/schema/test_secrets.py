"""What is a secret is known in one place."""

from __future__ import annotations

from batchai_scenario.schema.secrets import is_secret, redacted, split_secrets

BODY = {
    "secrets": [{"name": "A", "value": "hidden"}],
    "environmentVariables": [{"name": "B", "value": "seen"}],
    "containerSettings": {"imageSourceRegistry": {"credentials": {"username": "u", "password": "hidden"}}},
    "nodeSetup": {
        "mountVolumes": {"azureFileShares": [{"credentials": {"accountKey": "hidden"}}]},
        "setupTask": {"secrets": [{"name": "C", "value": "hidden"}]},
        "performanceCountersSettings": {"appInsightsReference": {"instrumentationKey": "hidden"}},
    },
    "userAccountSettings": {"adminUserName": "me", "adminUserPassword": "hidden"},
}


def test_every_secret_is_parted_and_nothing_else() -> None:
    rest, secrets = split_secrets(BODY)
    assert "hidden" not in str(rest)
    assert "seen" in str(rest)
    assert set(secrets) == {
        "/secrets/0/value",
        "/containerSettings/imageSourceRegistry/credentials/password",
        "/nodeSetup/mountVolumes/azureFileShares/0/credentials/accountKey",
        "/nodeSetup/setupTask/secrets/0/value",
        "/nodeSetup/performanceCountersSettings/appInsightsReference/instrumentationKey",
        "/userAccountSettings/adminUserPassword",
    }


def test_what_is_shown_has_names_in_their_places() -> None:
    shown = str(redacted(BODY))
    assert "hidden" not in shown
    assert all(name in shown for name in ("<secret A>", "<secret C>", "<password>", "<accountKey>", "seen"))


def test_a_secret_is_hidden_whatever_it_begins_with_and_placeholders_stay() -> None:
    for secret in ("$ecret", "$", "$STORAGE_KEYS are mine", 12345):
        assert redacted({"adminUserPassword": secret}) == {"adminUserPassword": "<adminUserPassword>"}
    assert redacted({"accountKey": "$STORAGE_KEY"}) == {"accountKey": "$STORAGE_KEY"}


def test_a_path_tells_whether_it_leads_to_a_secret() -> None:
    assert is_secret("properties.secrets[0].value")
    assert is_secret("properties.nodeSetup.mountVolumes.azureFileShares[1].credentials.accountKey")
    assert not is_secret("properties.environmentVariables[0].value")
