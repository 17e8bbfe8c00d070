"""The consent ledger (append-only, hash-chained), its current state, and what blocks whatever consent says.

All of it is keyed by subscriber key and has no foreign key to Contact: it outlives the person's row.
"""

from django.db import models
from django.db.models import Q

from contacts.models.brand import Brand, Purpose
from smsdesk.public_ids import PublicIdModel


class EventKind(models.TextChoices):
    OPT_IN = "opt_in", "Opted in"
    CONFIRM = "confirm", "Confirmed the opt-in"
    OPT_OUT = "opt_out", "Opted out"
    CLARIFY = "clarify", "Narrowed the opt-out"
    EXPIRE = "expire", "Consent ran out"
    REASSIGN = "reassign", "Number has a new owner"
    HOLD = "hold", "Held for review"
    RELEASE = "release", "Released from review"
    SUPPRESS = "suppress", "Suppressed"
    LIFT = "lift", "Suppression lifted by the person"
    ERASE = "erase", "Data erased"
    IMPORT = "import", "Imported"
    RETRACT = "retract", "Import's claim taken back"
    OVERRIDE = "override", "Time zone stated"


class Basis(models.TextChoices):
    """What consent rests on; which is strong enough where, says `contacts/permission.py`."""

    EXPRESS_WRITTEN = "express_written", "Express written"
    EXPRESS = "express", "Express"
    SOFT_OPT_IN = "soft_opt_in", "Soft opt-in"
    IMPLIED_PURCHASE = "implied_purchase", "Implied by a purchase"
    IMPLIED_INQUIRY = "implied_inquiry", "Implied by an inquiry"
    INFERRED = "inferred", "Inferred"
    CONVERSATIONAL = "conversational", "Wrote to us"
    UNPROVEN = "unproven", "Unproven"


class ConsentSource(models.TextChoices):
    """Who or what reported the event. Only the person's own act (`is_own_act`) lifts a suppression."""

    TEXT = "text", "Text message of the person"
    LINK = "link", "Page behind a link we texted"
    WEB_FORM = "web_form", "Web form"
    PAPER = "paper", "Paper form"
    VERBAL = "verbal", "Told to an employee"
    IMPORT = "import", "Import"
    API = "api", "API"
    ADMIN = "admin", "Employee"
    CARRIER = "carrier", "Carrier or provider"
    COMPLAINT = "complaint", "Complaint"
    ERASURE = "erasure", "Erasure"
    CLOCK = "clock", "Time that passed"
    MERGE = "merge", "Another phone of this person"

    @property
    def is_own_act(self) -> bool:
        """Proven to come from whoever holds the phone. Anybody can type any number into a web form."""
        return self in (ConsentSource.TEXT, ConsentSource.LINK)

    def lifts(self, cause: "ConsentSource") -> bool:
        """Whether an opt-in or START of this source lifts a suppression of that one.

        An erasure keeps a number from being written to by accident; whoever erased it never refused anything, so a
        form they fill in brings them back. A refusal yields only to the phone itself.
        """
        if cause == ConsentSource.ERASURE and self == ConsentSource.WEB_FORM:
            return True
        return self.is_own_act and cause.is_lifted_by_own_act

    def outweighs(self, other: "ConsentSource") -> bool:
        """A refusal weighs more than an erasure, and one their return may not lift more than one it may."""
        if other == ConsentSource.ERASURE:
            return self != ConsentSource.ERASURE
        return other.is_lifted_by_own_act and not self.is_lifted_by_own_act

    @property
    def is_lifted_by_own_act(self) -> bool:
        """Whether the person's START lifts an opt-out of this source; a complaint or an employee's entry stands."""
        return self in (
            ConsentSource.TEXT,
            ConsentSource.LINK,
            ConsentSource.WEB_FORM,
            ConsentSource.CARRIER,
            ConsentSource.ERASURE,
            ConsentSource.MERGE,  # a copy of one of these; copies of others keep their source
        )


class ConsentEvent(models.Model):
    """One fact of the ledger. Never changed, never deleted: triggers refuse it in the database itself."""

    seq = models.BigIntegerField(unique=True)  # gapless, 1 upward
    subscriber_key = models.CharField(max_length=44)
    # null: every brand. Nobody asks for all events of a brand; that it is there need not be looked up for each
    # event, because the database keeps every brand (`ledger_guard`).
    brand = models.ForeignKey(
        Brand, on_delete=models.PROTECT, null=True, related_name="+", db_index=False, db_constraint=False
    )
    purposes = models.JSONField(default=list)  # list of Purpose values; ["*"]: every purpose
    kind = models.CharField(max_length=10, choices=EventKind)
    basis = models.CharField(max_length=20, choices=Basis, blank=True)
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    source = models.CharField(max_length=10, choices=ConsentSource)
    actor = models.CharField(max_length=150, blank=True)  # user name, API key prefix, import, or "" for the person
    expires_at = models.DateTimeField(null=True, blank=True)  # of consent that was given for a time
    is_proven = models.BooleanField(default=False)  # the evidence had every field the rules ask for
    evidence_commitment = models.CharField(max_length=64, blank=True)
    prev_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)

    class Meta:
        indexes = [
            # the contact page, rebuild_consent
            models.Index(fields=["subscriber_key", "seq"], name="ledger_of_a_phone"),
        ]

    def __str__(self) -> str:
        return f"{self.seq} {self.kind}"


class ConsentEvidence(models.Model):
    """Personal data behind an event; erasing this row leaves the chain valid (it holds only a commitment).

    Events stay for ever, and `contacts/chain.py` writes both in one transaction; `verify_ledger` looks for evidence
    of none, so the database does not once more for each row.
    """

    event = models.OneToOneField(
        ConsentEvent, on_delete=models.PROTECT, related_name="evidence", primary_key=True, db_constraint=False
    )
    salt = models.CharField(max_length=32)
    document = models.JSONField()

    def __str__(self) -> str:
        return f"evidence of {self.event_id}"


class LedgerHead(models.Model):
    """The one row that is locked on append: no fork, no gap."""

    seq = models.BigIntegerField(default=0)
    hash = models.CharField(max_length=64, default="0" * 64)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="one_ledger_head")]

    def __str__(self) -> str:
        return f"head {self.seq}"


class ConsentState(models.Model):
    """What a person has agreed to, per brand and purpose: a copy of what the ledger says.

    `rebuild_consent --check` holds it against the ledger, so the database does not check each row's brand and event
    once more. Nobody looks a row up by either of them.
    """

    subscriber_key = models.CharField(max_length=44)
    brand = models.ForeignKey(
        Brand, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    purpose = models.CharField(max_length=14, choices=Purpose)
    is_active = models.BooleanField()  # False: opted out, expired or ended
    ended_by = models.CharField(max_length=10, blank=True, default="", db_default="")  # an EventKind
    basis = models.CharField(max_length=20, choices=Basis, blank=True)
    occurred_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    is_confirmed = models.BooleanField(default=False)  # double opt-in
    is_proven = models.BooleanField(default=False)  # the proof has every field the rules ask for
    event = models.ForeignKey(
        ConsentEvent, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["subscriber_key", "brand", "purpose"], name="one_state_per_phone_brand_purpose"
            )
        ]

    def __str__(self) -> str:
        return f"{self.purpose}: {'active' if self.is_active else 'ended'}"


class Suppression(models.Model):
    """Nothing may be sent. Survives the contact, never expires, lifted only by the person's own act."""

    subscriber_key = models.CharField(max_length=44)
    brand = models.ForeignKey(Brand, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    purpose = models.CharField(max_length=14, default="*")  # a Purpose, or "*" for every one
    source = models.CharField(max_length=10, choices=ConsentSource)
    since = models.DateTimeField()
    event = models.ForeignKey(ConsentEvent, on_delete=models.PROTECT, related_name="+")
    lifted_by = models.ForeignKey(ConsentEvent, on_delete=models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["subscriber_key", "brand", "purpose"],
                condition=Q(lifted_by=None, brand__isnull=False),
                name="one_standing_suppression_per_brand",
            ),
            models.UniqueConstraint(
                fields=["subscriber_key", "purpose"],
                condition=Q(lifted_by=None, brand=None),
                name="one_standing_suppression_of_all_brands",
            ),
        ]
        indexes = [
            # the send path's check under the contact lock
            models.Index(fields=["subscriber_key"], condition=Q(lifted_by=None), name="standing_suppressions"),
        ]

    def __str__(self) -> str:
        return f"suppressed since {self.since:%Y-%m-%d}"


class Hold(PublicIdModel):
    """A text that may be an opt-out waits for a person; until then only replies may leave."""

    prefix = "hld"

    subscriber_key = models.CharField(max_length=44)
    brand = models.ForeignKey(Brand, on_delete=models.PROTECT, null=True, related_name="+")  # null: every brand
    inbound_id = models.UUIDField(null=True)  # public id of the inbound message that caused it
    said_at = models.DateTimeField()  # when the latest such text was written: from then it would be an opt-out
    opened_at = models.DateTimeField()  # when the first one came: the clock runs from here
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.CharField(max_length=150, blank=True)
    was_opt_out = models.BooleanField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["subscriber_key", "brand"],
                condition=Q(closed_at=None, brand__isnull=False),
                name="one_open_hold_per_phone_and_brand",
            ),
            models.UniqueConstraint(
                fields=["subscriber_key"],
                condition=Q(closed_at=None, brand=None),
                name="one_open_hold_of_every_brand",
            ),
        ]
        indexes = [
            # the send path's check under the contact lock
            models.Index(fields=["subscriber_key"], condition=Q(closed_at=None), name="open_holds_of_phone"),
            # the queue, and the round that closes what nobody read in time
            models.Index(fields=["opened_at"], condition=Q(closed_at=None), name="hold_queue"),
        ]

    def __str__(self) -> str:
        return f"hold since {self.opened_at:%Y-%m-%d}"
