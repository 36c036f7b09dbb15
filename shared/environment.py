"""The environment: the names that TrueUp reads from it, what they mean, and what a value looks like.

`SETTINGS` is the one list of those names; `docs/settings.md` and the infrastructure are tested against it. How they are
read stands in `shared.given`.
"""

from __future__ import annotations

from typing import NamedTuple


class Setting(NamedTuple):
    """One name that TrueUp reads, in one line, and what a value looks like."""

    name: str
    meaning: str
    example: str

    @property
    def secret(self) -> bool:
        return "(secret)" in self.meaning


class ShownSetting(NamedTuple):
    """A setting as people see it: its value, `None` where it is not set, and of a secret only that it is."""

    name: str
    meaning: str
    value: str | None


SETTINGS = (
    Setting(
        "AzureWebJobsStorage",
        "storage account by connection string: the emulator only (secret)",
        "UseDevelopmentStorage=true",
    ),
    Setting("AzureWebJobsStorage__accountName", "storage account by managed identity, public Azure", "sttrueup"),
    Setting(
        "AzureWebJobsStorage__tableServiceUri",
        "its table endpoint, where the account name does not give it",
        "https://sttrueup.table.core.windows.net",
    ),
    Setting(
        "AzureWebJobsStorage__queueServiceUri",
        "its queue endpoint, where the account name does not give it",
        "https://sttrueup.queue.core.windows.net",
    ),
    Setting(
        "AzureWebJobsStorage__blobServiceUri",
        "its blob endpoint, where the account name does not give it",
        "https://sttrueup.blob.core.windows.net",
    ),
    Setting(
        "AzureWebJobsStorage__clientId",
        "client id of the user-assigned identity that may use the storage",
        "7a3c1d52-5f0e-4c0b-9d7a-2b1c6a9e4f10",
    ),
    Setting(
        "MANAGE_BASE_URL",
        "base URL of the Manage API, used as it stands; this or MANAGE_SITE",
        "https://api-na.myconnectwise.net/v4_6_release/apis/3.0",
    ),
    Setting("MANAGE_SITE", "site whose API base is looked up; this or MANAGE_BASE_URL", "na.myconnectwise.net"),
    Setting("MANAGE_COMPANY", "what is typed as *Company* at the Manage login", "birchline"),
    Setting("MANAGE_PUBLIC_KEY", "public key of the API member", "4Kd9xQ2mVb7TnLpZ"),
    Setting(
        "MANAGE_PRIVATE_KEY",
        "private key of the API member (secret)",
        "@Microsoft.KeyVault(SecretUri=https://kv-trueup.vault.azure.net/secrets/manage-private-key)",
    ),
    Setting(
        "MANAGE_CLIENT_ID",
        "client id from the ConnectWise developer network",
        "0f6d2c9e-3b41-4a57-8e0d-c5a1b7e92d34",
    ),
    Setting("MANAGE_API_VERSION", "API version to pin; the server's own when left out", "2025.16"),
    Setting("MANAGE_CALLS_IN_FLIGHT", "calls to Manage at once from one process, 1 to 64; 4 when left out", "4"),
    Setting(
        "MANAGE_CA_FILE", "certificate authority of a self-hosted Manage, a PEM file", "/home/site/certs/manage.pem"
    ),
    Setting(
        "MICROSOFT_PARTNER_TENANTS",
        "partner tenants whose customers are read, separated by commas",
        "c2f0a6de-91b5-4d3e-8f27-6a40be1d7c93",
    ),
    Setting(
        "MICROSOFT_DIRECT_TENANTS",
        "customer tenants read without a partner relationship, separated by commas",
        "58e1b3f4-0c7d-4b62-a9f8-1d25e6c73a0b",
    ),
    Setting("MICROSOFT_CLIENT_ID", "the multi-tenant app registration", "e94d7a01-62c8-4f3b-b1d5-07f9a8c2e6d4"),
    Setting("MICROSOFT_CREDENTIAL", "managed-identity, certificate or secret (trials)", "managed-identity"),
    Setting(
        "MICROSOFT_IDENTITY_CLIENT_ID",
        "with managed-identity: client id of the user-assigned identity the app trusts",
        "7a3c1d52-5f0e-4c0b-9d7a-2b1c6a9e4f10",
    ),
    Setting(
        "MICROSOFT_CERTIFICATE_FILE", "with certificate: PEM or PFX file; or MICROSOFT_CERTIFICATE", "/certs/trueup.pem"
    ),
    Setting(
        "MICROSOFT_CERTIFICATE",
        "with certificate: the same file in base64 (secret)",
        "@Microsoft.KeyVault(SecretUri=https://kv-trueup.vault.azure.net/secrets/microsoft)",
    ),
    Setting(
        "MICROSOFT_CLIENT_SECRET",
        "with secret: the client secret (secret)",
        "@Microsoft.KeyVault(SecretUri=https://kv-trueup.vault.azure.net/secrets/microsoft-secret)",
    ),
    Setting(
        "MICROSOFT_AUTHORITY",
        "where tokens come from; the public cloud when left out",
        "https://login.microsoftonline.com",
    ),
    Setting("MICROSOFT_GRAPH_URL", "Graph; the public cloud when left out", "https://graph.microsoft.com/v1.0"),
    Setting("MICROSOFT_CA_FILE", "certificate authority for these two, a PEM file", "/home/site/certs/proxy.pem"),
    Setting("MICROSOFT_SKU_NAMES", "Microsoft's CSV of product names: a file or an https URL", "/data/sku-names.csv"),
    Setting(
        "MICROSOFT_PARTNER_CENTER_URL",
        "Partner Center, which tells the terms of subscriptions; left out, it is not asked",
        "https://api.partnercenter.microsoft.com/v1",
    ),
    Setting(
        "MICROSOFT_PARTNER_CENTER_SCOPE",
        "scope of tokens for it; that of its address when left out",
        "https://api.partnercenter.microsoft.com/.default",
    ),
    Setting(
        "MICROSOFT_CHARGES_CURRENCY",
        "currency in which Microsoft bills licences to the first partner tenant; left out, its charges are not read",
        "USD",
    ),
    Setting(
        "MICROSOFT_AZURE_CURRENCY",
        "currency in which Microsoft bills Azure to the first partner tenant; left out, Azure usage is not read",
        "USD",
    ),
    Setting(
        "MICROSOFT_AZURE_SETTLED_DAYS",
        "days after which usage of a day is taken for complete, 1 to 10; 3 when left out",
        "3",
    ),
    Setting("PAX8_CLIENT_ID", "client id of the Pax8 partner's API credentials", "qZ3xV7n2LrT9bKdW"),
    Setting(
        "PAX8_CLIENT_SECRET",
        "their client secret (secret)",
        "@Microsoft.KeyVault(SecretUri=https://kv-trueup.vault.azure.net/secrets/pax8-client-secret)",
    ),
    Setting(
        "PAX8_BILLABLE_STATUSES",
        "statuses whose subscriptions count, separated by commas; what Pax8 charges for when left out",
        "Active,Converted,PendingCancel",
    ),
    Setting(
        "PAX8_USAGE",
        "`invoices`: what is charged in arrears is counted by Pax8's invoices; `none`, and when left out: not at all",
        "invoices",
    ),
    Setting("PAX8_URL", "Pax8's API; the public one when left out", "https://api.pax8.com/v1"),
    Setting(
        "PAX8_TOKEN_URL", "where its tokens come from; the public one when left out", "https://api.pax8.com/v1/token"
    ),
    Setting("PAX8_AUDIENCE", "audience of its tokens; the partner API when left out", "https://api.pax8.com"),
    Setting("HUNTRESS_PUBLIC_KEY", "API key of the Huntress account", "hk_9b1f7c3d5a"),
    Setting(
        "HUNTRESS_PRIVATE_KEY",
        "its private key (secret)",
        "@Microsoft.KeyVault(SecretUri=https://kv-trueup.vault.azure.net/secrets/huntress-private-key)",
    ),
    Setting(
        "HUNTRESS_URL",
        "Huntress's API; the public one when left out, with a reseller's keys the account's",
        "https://api.huntress.io/v1/accounts/3107",
    ),
    Setting(
        "COVE_PARTNER",
        "own customer name at Cove, exactly as its console shows it",
        "Birchline IT (it@birchline.example)",
    ),
    Setting("COVE_USERNAME", "login name of the API user", "trueup"),
    Setting(
        "COVE_TOKEN",
        "its token (secret)",
        "@Microsoft.KeyVault(SecretUri=https://kv-trueup.vault.azure.net/secrets/cove-token)",
    ),
    Setting("COVE_URL", "Cove's JSON-RPC; the public one when left out", "https://api.backup.management/jsonapi"),
    Setting(
        "PUSHED_KEYS",
        "names of pushed sources, each with its key: name=key, separated by commas (secret)",
        "@Microsoft.KeyVault(SecretUri=https://kv-trueup.vault.azure.net/secrets/pushed-keys)",
    ),
    Setting("PUSHED_HOURS", "how many hours a push is believed, 1 to 744; 26 when left out", "26"),
    Setting(
        "NOTICE_SMTP", "mail server that takes notices, host and port; or NOTICE_MAILBOX", "smtp.birchline.example:587"
    ),
    Setting("NOTICE_SMTP_FROM", "with NOTICE_SMTP: address that notices are from", "trueup@birchline.example"),
    Setting("NOTICE_SMTP_SECURITY", "starttls, tls, or none on this machine; starttls when left out", "starttls"),
    Setting("NOTICE_SMTP_USERNAME", "user name at the mail server, if it asks for one", "trueup"),
    Setting(
        "NOTICE_SMTP_PASSWORD",
        "its password (secret)",
        "@Microsoft.KeyVault(SecretUri=https://kv-trueup.vault.azure.net/secrets/notice-smtp-password)",
    ),
    Setting(
        "NOTICE_MAILBOX",
        "mailbox of the MSP's own tenant that Microsoft Graph sends notices from, where NOTICE_SMTP is not set",
        "trueup@birchline.example",
    ),
    Setting(
        "NOTICE_TEAMS",
        "Teams workflows and webhooks: name=address, separated by commas (secret)",
        "@Microsoft.KeyVault(SecretUri=https://kv-trueup.vault.azure.net/secrets/notice-teams)",
    ),
    Setting(
        "NOTICE_CONSOLE_URL",
        "address of the console, for links in notices",
        "https://func-trueup.azurewebsites.net/console",
    ),
    Setting(
        "NOTICE_ALERTS",
        "who is told when a night, the storage or Manage fails, whatever the rules say, separated by commas",
        "mail:desk@birchline.example",
    ),
    Setting(
        "NOTICE_SECRETS_END",
        "last days of secrets and certificates, to be told 30 days before: name=day, separated by commas",
        "microsoft=2027-03-01",
    ),
    Setting("TRUEUP_TIME_ZONE", "IANA zone of readings and schedules; UTC when left out", "America/Chicago"),
    Setting("TRUEUP_LANES", "companies worked on at once in a run, 1 to 64; 8 when left out", "8"),
    Setting("TRUEUP_LEASE_SECONDS", "how long a company is leased to a worker, 30 to 3600; 300 when left out", "300"),
    Setting(
        "TRUEUP_BACKUP_DAYS",
        "days for which the daily backups of the store are kept, 1 to 365; 0: none are made; 30 when left out",
        "30",
    ),
    Setting(
        "TRUEUP_MANAGE_CANCELLED_DAY",
        "whether Manage bills a line on its cancelled date: billed or free; billed when left out",
        "billed",
    ),
    Setting(
        "TRUEUP_MANAGE_CHANGED_LINE",
        "how Manage bills a line that is changed: from the next-invoice on or retroactive; next-invoice when left out",
        "next-invoice",
    ),
    Setting(
        "TRUEUP_MANAGE_PRORATE_START_DAY",
        "whether Manage bills the first day of a line that it prorates: included or excluded; included when left out",
        "included",
    ),
    Setting(
        "TRUEUP_CALLBACK_URL",
        "where Manage reaches this app to tell of changes; left out, it is not asked to",
        "https://func-trueup.azurewebsites.net/api/callbacks/manage",
    ),
    Setting(
        "TRUEUP_LOCAL_PERSON",
        "who is taken for signed in to the console on this machine, with a role; refused on Azure",
        "pat@birchline.example: TrueUp.Biller",
    ),
    Setting(
        "TRUEUP_CLOCK_URL",
        "business clock of the sandbox, on this machine; refused on Azure",
        "http://127.0.0.1:8700/_sandbox/clock",
    ),
)


def setting_names() -> tuple[str, ...]:
    """Every name that TrueUp reads from its environment."""
    return tuple(setting.name for setting in SETTINGS)


def for_example(name: str) -> str:
    """What a value of this setting looks like, to end a sentence with."""
    return "for example " + next(setting.example for setting in SETTINGS if setting.name == name)
