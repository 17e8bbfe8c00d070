"""What django-post-office sends through: an e-mail backend that posts to the carrier; the phone is the mailbox."""

from collections.abc import Sequence

from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend

from tests.benchmarks.peers import carrier

DOMAIN = "sms.example"


class CarrierBackend(BaseEmailBackend):
    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        for message in email_messages:
            phone = message.to[0].partition("@")[0]
            carrier.post(phone, str(message.body), reference=message.extra_headers["X-Reference"])
        return len(email_messages)
