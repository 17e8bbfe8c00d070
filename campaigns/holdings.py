"""The messages the desk holds on a person: what was sent or kept from being sent, and the gateways' receipts."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Exists, F, OuterRef, QuerySet

from campaigns import sending
from campaigns.models import CarrierOptOut, DeliveryEvent, OutboundMessage, OutboundState, Settlement
from contacts import belonging, holdings, retention, testimony
from contacts.holdings import Holding, Record, Traces
from contacts.models import ConsentEvidence, ConsentSource, ConsentState, Contact, ContactImport, Suppression
from smsdesk import bulk_sql
from smsdesk.errors import Conflict

ERASED = "ERASED"
_KEPT_OF_VERDICT = ("outcome", "code", "at", "rules", "until")
_STRAYS_FOR = timedelta(days=3)


@holdings.add
class Messages(Holding):
    name = "messages"
    permission = "campaigns.view_message_body"
    title = "Messages sent, waiting or kept back"
    fate = "what waits is cancelled; number and text are deleted, the bare row stays for the counts"

    def records(self, contact: Contact) -> Iterator[Record]:
        for key in belonging.keys_of(contact):
            yield from self._told(key)

    def _told(self, key: str) -> Iterator[Record]:
        for one in testimony.decisions.about(key):
            yield {name: getattr(one, name) for name in one.__slots__ if name != "brand_id"}

    def count(self, contact: Contact) -> int:
        return _of(contact).count()

    def erase(self, contact: Contact, *, now: datetime) -> None:
        if _of(contact).filter(state=OutboundState.SUBMITTING).exists():
            raise Conflict(
                "message_leaving",
                "A message to this person is leaving at this moment.",
                cure="Nothing was erased. Try again in a minute.",
            )
        sending.cancel_for(contact, brand=None, code=ERASED, now=now)
        _stop_the_rest(contact, now=now)
        clear(_of(contact))

    def traces(self, made_by: ContactImport, *, since: datetime) -> Traces:
        rows = OutboundMessage.objects.filter(subscriber_key=OuterRef("subscriber_key"), created_at__gte=since)
        return {"a message was made for them": Exists(rows)}


def _of(contact: Contact) -> "QuerySet[OutboundMessage]":
    return OutboundMessage.objects.filter(subscriber_key__in=belonging.keys_of(contact))


def _stop_the_rest(contact: Contact, *, now: datetime) -> None:
    """Confirmations that wait; and what may have left, which nobody can ask about without the number."""
    open_rows = _of(contact).filter(state__in=(OutboundState.QUEUED, OutboundState.UNKNOWN))
    waiting = open_rows.filter(state=OutboundState.QUEUED, outcome_open=False)
    waiting.update(state=OutboundState.CANCELLED, code=ERASED, final_at=now, waiting_for="")
    open_rows.update(state=OutboundState.PARKED, code=ERASED, next_lookup_at=None)


def clear(rows: "QuerySet[OutboundMessage]") -> int:
    """Take everything personal out of these rows, receipts included; how many rows."""
    found = [(pk, _bare(verdict)) for pk, verdict in rows.values_list("pk", "verdict")]
    ids = [pk for pk, _ in found]
    DeliveryEvent.objects.filter(message__in=ids).update(raw={})
    Settlement.objects.filter(message__in=ids).update(reason="(erased)")
    bulk_sql.update_rows(OutboundMessage, columns=("verdict",), rows=found)
    OutboundMessage.objects.filter(pk__in=ids).update(phone="", body="", text="", evidence=None, contact=None)
    return len(ids)


def _bare(verdict: Any) -> dict[str, Any] | None:
    """The decision without what it rested on."""
    return {name: verdict[name] for name in _KEPT_OF_VERDICT if name in verdict} if verdict else None


# --- how long -------------------------------------------------------------------------------------------


def _wrote_since(before: datetime) -> Exists:
    """A message to the same phone that is not that old: the years count from the last one."""
    later = OutboundMessage.objects.filter(subscriber_key=OuterRef("subscriber_key"), created_at__gte=before)
    return Exists(later)


@retention.kind("messages")
def clear_messages(before: datetime) -> int:
    settled = OutboundMessage.objects.exclude(phone="").exclude(
        state__in=(OutboundState.QUEUED, OutboundState.SUBMITTING, OutboundState.UNKNOWN)
    )
    old = settled.filter(~_wrote_since(before), ~retention.is_held("subscriber_key"), created_at__lt=before)
    return clear(OutboundMessage.objects.filter(pk__in=retention.some(old)))


@retention.kind("evidence")
def drop_evidence(before: datetime) -> int:
    """Not while an agreement in force rests on it: the next message could not be proven."""
    rests = ConsentState.objects.filter(event=OuterRef("event"), is_active=True)
    old = ConsentEvidence.objects.annotate(subscriber_key=F("event__subscriber_key")).filter(
        ~Exists(rests), ~_wrote_since(before), ~retention.is_held("subscriber_key"), event__recorded_at__lt=before
    )
    return ConsentEvidence.objects.filter(pk__in=retention.some(old)).delete()[0]


@retention.kind("receipts")
def clear_receipts(before: datetime) -> int:
    old = DeliveryEvent.objects.filter(received_at__lt=before).exclude(raw={})
    old = old.filter(~retention.is_held("message__subscriber_key"))
    return DeliveryEvent.objects.filter(pk__in=retention.some(old)).update(raw={})


@retention.sweep
def drop_carrier_opt_outs(now: datetime) -> int:
    """They are counted over minutes; what they say of a person stands in the consent ledger."""
    old = CarrierOptOut.objects.filter(reported_at__lt=now - timedelta(days=1))
    return CarrierOptOut.objects.filter(pk__in=retention.some(old)).delete()[0]


@retention.sweep
def clear_strays(now: datetime) -> int:
    """Rows a snapshot that was under way wrote after the person had been erased."""
    erased = Suppression.objects.filter(
        subscriber_key=OuterRef("subscriber_key"), source=ConsentSource.ERASURE, lifted_by=None
    )
    known = Contact.objects.filter(subscriber_key=OuterRef("subscriber_key"))
    strays = OutboundMessage.objects.filter(Exists(erased), ~Exists(known), created_at__gt=now - _STRAYS_FOR)
    strays = strays.exclude(phone="").exclude(state=OutboundState.SUBMITTING)
    strays.filter(state=OutboundState.QUEUED, outcome_open=False).update(
        state=OutboundState.CANCELLED, code=ERASED, final_at=now, waiting_for=""
    )
    return clear(OutboundMessage.objects.filter(pk__in=retention.some(strays.exclude(state=OutboundState.QUEUED))))
