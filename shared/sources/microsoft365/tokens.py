"""Tokens for any tenant from one credential.

One app registration stands in every tenant, so one azure-identity credential serves them all; it keeps the tokens of
each tenant until shortly before they expire. Everything here is synchronous and runs in the caller's thread.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any

from azure.core.credentials import AccessToken, TokenCredential
from azure.core.pipeline import PipelineResponse
from azure.core.pipeline.policies import RetryPolicy
from azure.identity import (
    CertificateCredential,
    ClientAssertionCredential,
    ClientSecretCredential,
    ManagedIdentityCredential,
)

from shared.errors import Misconfigured, Refused, TrueUpError
from shared.sources.microsoft365.failures import SYSTEM, token_error
from shared.sources.microsoft365.settings import MicrosoftSettings

SCOPE = "https://graph.microsoft.com/.default"
#: A wait longer than this, in seconds, is left to the next look.
LONGEST_WAIT = 10.0
_EXCHANGE_SCOPE = "api://AzureADTokenExchange/.default"


class _Brief(RetryPolicy[Any, Any]):
    """Repeats what passes by itself, but does not sit on a company for as long as Entra asks it to wait."""

    def is_retry(self, settings: dict[str, Any], response: PipelineResponse[Any, Any]) -> bool:
        wait = self.get_retry_after(response)
        return (wait is None or wait <= LONGEST_WAIT) and super().is_retry(settings, response)


class Tokens:
    """Gives tokens by tenant: for Graph, or for what another scope names."""

    def __init__(self, settings: MicrosoftSettings, credential: TokenCredential | None) -> None:
        self._settings = settings
        self._credential = credential or make_credential(settings)

    def token(self, tenant: str, scope: str = SCOPE) -> AccessToken:
        """A token of the app for one tenant. Raises what the code of Entra's refusal means (`failures`).

        CAE is not asked for: its tokens may be challenged at any call, and nobody here could answer a challenge.
        """
        try:
            return self._credential.get_token(scope, tenant_id=tenant, enable_cae=False)
        except TrueUpError:
            raise
        except Exception as error:  # whatever a broken answer of Entra makes the libraries raise is a failed read
            raise token_error(_whole_text(error), tenant, self.consent_url(tenant)) from error

    def consent_url(self, tenant: str) -> str:
        """Where an administrator of the tenant consents to the app and its roles."""
        return self._settings.consent_url(tenant)


def make_credential(settings: MicrosoftSettings) -> TokenCredential:
    """The credential that settings without problems name. Raises `Misconfigured` when the libraries cannot make it."""
    home, client = settings.home_tenant, settings.client_id
    options = _options(settings)
    try:
        if settings.credential == "managed-identity":
            return ClientAssertionCredential(home, client, _managed_identity(settings), **options)
        # MSAL checks other authorities than Microsoft's own against Microsoft's directory, which cannot know them.
        options["disable_instance_discovery"] = not settings.at_microsoft
        if settings.credential == "certificate":
            return CertificateCredential(home, client, settings.certificate_file, **_certificate(settings), **options)
        return ClientSecretCredential(home, client, str(settings.client_secret), **options)
    except (ValueError, OSError) as error:
        name = "certificate" if settings.credential == "certificate" else "credential"
        raise Misconfigured([f"Microsoft 365: the {name} cannot be used ({type(error).__name__})."]) from error


def _options(settings: MicrosoftSettings) -> dict[str, Any]:
    options: dict[str, Any] = {
        "authority": settings.authority,
        "additionally_allowed_tenants": ["*"],
        "connection_timeout": 10,
        "read_timeout": 30,
        "retry_total": 2,
        "retry_policy_class": _Brief,
    }
    if settings.ca_file:
        options["connection_verify"] = settings.ca_file
    return options


def _certificate(settings: MicrosoftSettings) -> dict[str, bytes]:
    if settings.certificate_data is None:
        return {}
    try:
        return {"certificate_data": base64.b64decode("".join(settings.certificate_data.split()), validate=True)}
    except binascii.Error as error:
        raise Misconfigured(["Microsoft 365: the certificate data is not base64."]) from error


def _managed_identity(settings: MicrosoftSettings) -> Callable[[], str]:
    """A function that proves the app by its federated managed identity; called once per new token."""
    identity = ManagedIdentityCredential(client_id=settings.identity_client_id)

    def assertion() -> str:
        try:
            proof: str = identity.get_token(_EXCHANGE_SCOPE).token
        except Exception as error:  # outside Azure, or the identity is not assigned: the libraries raise many kinds
            raise Refused(
                "No token: the managed identity could not be used; every tenant is affected.",
                system=SYSTEM,
                remedy="Assign the user-assigned identity to the function app and check its client id in the settings.",
            ) from error
        return proof

    return assertion


def _whole_text(error: BaseException) -> str:
    """The messages of an exception and of those it came from: MSAL drops Entra's code from the outer one."""
    texts: list[str] = []
    current: BaseException | None = error
    while current is not None and len(texts) < 10:
        texts.append(str(current))
        current = current.__cause__ or current.__context__
    return "\n".join(texts)
