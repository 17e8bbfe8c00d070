"""Twilio."""

from collections.abc import Sequence
from datetime import datetime

from smsdesk.gateways import contract


class Twilio(contract.Gateway):
    kind = "twilio"
    label = "Twilio"
    capabilities = contract.Capabilities(lookup="proof", signed_webhooks=True, max_characters=1600)
    credential_fields = (
        contract.CredentialField("account_sid", "Account SID", secret=False),
        contract.CredentialField("auth_token", "Auth token", secret=True, help="Signs the webhooks."),
        contract.CredentialField(
            "auth_token_former",
            "Former auth token",
            secret=True,
            required=False,
            help="While it is being rotated: webhooks signed with it are still taken.",
        ),
        contract.CredentialField(
            "api_key_sid", "API key SID", secret=False, required=False, help="Sends instead of the auth token."
        ),
        contract.CredentialField("api_key_secret", "API key secret", secret=True, required=False),
    )

    async def submit(
        self, batch: contract.SubmitBatch, *, deadline: contract.Deadline
    ) -> list[contract.SubmitResult]:
        raise NotImplementedError

    async def lookup(
        self, items: Sequence[contract.LookupItem], *, submitted_after: datetime
    ) -> list[contract.Receipt]:
        raise NotImplementedError

    def verify(self, request: contract.HookRequest) -> None:
        raise NotImplementedError

    def parse(self, request: contract.HookRequest) -> contract.HookEvents:
        raise NotImplementedError
