"""Infobip."""

from collections.abc import Sequence
from datetime import datetime

from smsdesk.gateways import contract


class Infobip(contract.Gateway):
    kind = "infobip"
    label = "Infobip"
    capabilities = contract.Capabilities(
        recipients_per_call=500, echoes_reference=True, lookup="exact", lookup_batch=55, max_characters=4000
    )
    credential_fields = (
        contract.CredentialField("api_key", "API key", secret=True),
        contract.CredentialField(
            "hook_user",
            "Webhook user",
            secret=False,
            required=False,
            help="For Basic authentication of inbound webhooks, as set in Infobip's portal.",
        ),
        contract.CredentialField("hook_password", "Webhook password", secret=True, required=False),
        contract.CredentialField(
            "hook_password_former",
            "Former webhook password",
            secret=True,
            required=False,
            help="While it is being rotated: webhooks that carry it are still taken.",
        ),
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
