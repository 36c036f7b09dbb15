"""The settings of the notices: what can be told is told, everything else is a problem that shows no value."""

from __future__ import annotations

from datetime import date

import pytest

from shared.billing.subscribers import Channel
from shared.errors import Misconfigured
from shared.notices.settings import NoticeSettings, Security, SmtpSettings
from shared.settings import load_settings
from tests.unit.test_settings import MANAGE, MICROSOFT, STORAGE, settings_with_problems

WEBHOOK = "https://prod-1.westus.logic.azure.com/workflows/1?api-version=1&sig=hush"
SMTP = {"NOTICE_SMTP": "smtp.birchline.example:587", "NOTICE_SMTP_FROM": "trueup@birchline.example"}
SANDBOX = {"TRUEUP_CLOCK_URL": "http://127.0.0.1:8700/_sandbox/clock"}


def notices(**given: str) -> NoticeSettings:
    return load_settings(STORAGE | MANAGE | given).notices


def test_without_any_nobody_is_told():
    assert notices() == NoticeSettings()


def test_a_mail_server_needs_a_sender():
    given = SmtpSettings("smtp.birchline.example", 587, "trueup@birchline.example")

    assert notices(**SMTP).smtp == given
    assert settings_with_problems(STORAGE | MANAGE | {"NOTICE_SMTP": "smtp.birchline.example:587"}) == [
        "NOTICE_SMTP_FROM"
    ]


def test_no_mail_leaves_this_machine_in_the_clear():
    clear = {"NOTICE_SMTP_SECURITY": "none"}

    assert settings_with_problems(STORAGE | MANAGE | SMTP | clear) == ["NOTICE_SMTP_SECURITY"]
    assert notices(**SMTP | clear | {"NOTICE_SMTP": "127.0.0.1:25"}).smtp.security is Security.NONE


@pytest.mark.parametrize(
    "wrong",
    [
        {"NOTICE_SMTP": "smtp.birchline.example"},
        {"NOTICE_SMTP_FROM": "TrueUp <trueup@birchline.example>"},
        {"NOTICE_SMTP_PASSWORD": "", "NOTICE_SMTP_USERNAME": "trueup"},
    ],
)
def test_what_no_mail_server_takes_is_a_problem(wrong):
    assert len(settings_with_problems(STORAGE | MANAGE | SMTP | wrong)) == 1


def test_a_password_is_looked_at_only_where_a_user_name_asks_for_one():
    missing = {"NOTICE_SMTP_PASSWORD": "@Microsoft.KeyVault(SecretUri=https://kv.vault.azure.net/secrets/none)"}

    assert notices(**SMTP | missing).smtp == SmtpSettings("smtp.birchline.example", 587, "trueup@birchline.example")
    assert settings_with_problems(STORAGE | MANAGE | SMTP | missing | {"NOTICE_SMTP_USERNAME": "trueup"}) == [
        "NOTICE_SMTP_PASSWORD"
    ]


def test_a_mailbox_needs_microsoft_365():
    mailbox = {"NOTICE_MAILBOX": "trueup@birchline.example"}

    assert settings_with_problems(STORAGE | MANAGE | mailbox) == ["NOTICE_MAILBOX"]
    assert load_settings(STORAGE | MANAGE | MICROSOFT | mailbox).notices.mailbox == "trueup@birchline.example"


def test_webhooks_are_at_microsoft_and_only_those_of_the_sandbox_on_this_machine():
    local = "http://127.0.0.1:8700/_sandbox/teams/desk"

    assert notices(NOTICE_TEAMS=f"desk={WEBHOOK}, boss={WEBHOOK}").teams == {"desk": WEBHOOK, "boss": WEBHOOK}
    assert settings_with_problems(STORAGE | MANAGE | {"NOTICE_TEAMS": f"desk={local}"}) == ["NOTICE_TEAMS"]
    assert notices(NOTICE_TEAMS=f"desk={local}", **SANDBOX).teams == {"desk": local}


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/?x=.logic.azure.com",
        "https://logic.azure.com.evil.example/",
        "http://prod-1.westus.logic.azure.com/",
        "https://user@prod-1.westus.logic.azure.com/",
        "https://prod-1.westus.logic.azure.com:8443/",
        "https://169.254.169.254/metadata",
        "",
    ],
)
def test_nothing_is_posted_anywhere_else(url):
    assert settings_with_problems(STORAGE | MANAGE | {"NOTICE_TEAMS": f"desk={url}"}) == ["NOTICE_TEAMS"]


def test_alerts_go_to_channels_that_are_set_up():
    given = SMTP | {"NOTICE_TEAMS": f"desk={WEBHOOK}", "NOTICE_ALERTS": "teams:desk, mail:boss@birchline.example"}

    assert notices(**given).alerts == ((Channel.TEAMS, "desk"), (Channel.MAIL, "boss@birchline.example"))
    for wrong in ("teams:other", "mail:boss", "boss@birchline.example"):
        assert settings_with_problems(STORAGE | MANAGE | given | {"NOTICE_ALERTS": wrong}) == ["NOTICE_ALERTS"]
    assert settings_with_problems(STORAGE | MANAGE | {"NOTICE_ALERTS": "mail:boss@birchline.example"}) == [
        "NOTICE_ALERTS"
    ]


def test_ends_of_secrets_are_days():
    ends = {"NOTICE_SECRETS_END": "microsoft=2027-03-01, pax8=2027-01-15"}

    assert notices(**ends).secrets_end == {"microsoft": date(2027, 3, 1), "pax8": date(2027, 1, 15)}
    assert settings_with_problems(STORAGE | MANAGE | {"NOTICE_SECRETS_END": "microsoft=soon"}) == ["NOTICE_SECRETS_END"]


def test_no_problem_and_no_representation_shows_a_secret():
    given = STORAGE | MANAGE | SMTP | {"NOTICE_SMTP_USERNAME": "u", "NOTICE_SMTP_PASSWORD": "hush"}

    assert "hush" not in repr(load_settings(given | {"NOTICE_TEAMS": f"desk={WEBHOOK}"}))
    with pytest.raises(Misconfigured) as refused:
        load_settings(given | {"NOTICE_TEAMS": "desk=https://evil.example/hush"})
    assert "hush" not in " ".join(refused.value.problems)
