from django.db import models
from django.utils import timezone

from smsdesk import phones
from smsdesk.beginning_index import BeginningIndex
from smsdesk.public_ids import PublicIdModel


class ZoneSource(models.TextChoices):
    """Where a contact's time zone comes from; their own statement replaces what the number suggests."""

    UNKNOWN = "", "From the number"
    IMPORT = "import", "Import"
    ADDRESS = "address", "Postal address"
    STATED = "stated", "Stated by the contact"


class LineType(models.TextChoices):
    """What a number lookup answered; the numbering plan alone cannot tell a landline in many countries."""

    UNKNOWN = "", "Not looked up"
    MOBILE = "mobile", "Mobile"
    FIXED = "fixed", "Landline"
    TOLL_FREE = "toll_free", "Toll-free"


class Contact(PublicIdModel):
    """A person we know by their phone. Its row is the lock of everything sent to that phone.

    One row per subscriber key, so the alias forms of one handset share it. Consent and suppression hang on the
    key, not on this row: they outlive it.
    """

    prefix = "con"

    phone = models.CharField(max_length=16)  # canonical E.164
    subscriber_key = models.CharField(max_length=44, editable=False)
    name = models.CharField(max_length=120, blank=True)
    external_id = models.CharField(max_length=100, null=True, blank=True)  # noqa: DJ001  # none is not the same id
    language = models.CharField(max_length=10, blank=True)
    country = models.CharField(max_length=2, blank=True)  # region of the number; "" when unknown
    region = models.CharField(max_length=2, blank=True, help_text="US state of the postal address, if known.")
    time_zone = models.CharField(max_length=64, blank=True)
    time_zone_source = models.CharField(max_length=10, choices=ZoneSource, blank=True, default="")
    attributes = models.JSONField(default=dict, blank=True)
    # Why nothing of this person may be erased or run out: a dispute, an authority's order. "": no hold.
    legal_hold = models.CharField(max_length=300, blank=True, default="", db_default="", editable=False)
    birth_date = models.DateField(null=True, blank=True, help_text="Asked for where a program has a minimum age.")
    line_type = models.CharField(max_length=10, choices=LineType, blank=True, default="", db_default="")
    dead_since = models.DateTimeField(null=True, blank=True)  # the carrier reported the number as gone
    # Id of the import that last wrote this row: a second line of the same file is then known as a duplicate.
    last_import = models.BigIntegerField(null=True, editable=False)
    created_import = models.BigIntegerField(null=True, editable=False)  # id of the import that added this person
    last_inbound_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            # Not `unique` of the field: on PostgreSQL that adds an index for LIKE, and keys are never searched so.
            models.UniqueConstraint(fields=["subscriber_key"], name="one_contact_per_phone"),
            # Most contacts have none, and then nothing is to be kept.
            models.UniqueConstraint(
                fields=["external_id"],
                condition=models.Q(external_id__isnull=False),
                name="one_contact_per_external_id",
                violation_error_message="Another contact has this external id.",
            ),
        ]
        indexes = [
            models.Index(fields=["created_at", "id"], name="contact_paging"),  # API and admin lists
            BeginningIndex(fields=["phone"], name="beginning_of_phone"),  # search by number
            BeginningIndex(fields=["name"], name="beginning_of_name"),  # search by name
            # the admin list by country, and which countries there are
            models.Index(fields=["country", "created_at", "id"], name="paging_of_country"),
        ]
        permissions = [
            ("import_contact", "Can import contacts"),
            ("export_contact", "Can export contacts"),
            ("view_full_phone", "Can see full phone numbers"),
            ("opt_out_contact", "Can record an opt-out"),
            ("disclose_contact", "Can download the proof and everything held on a person"),
            ("erase_contact", "Can erase a person"),
            ("hold_contact", "Can set and end a legal hold"),
        ]

    def __str__(self) -> str:
        return self.name or phones.mask(self.phone)


class ContactList(models.Model):
    """A hand-made list of contacts."""

    name = models.CharField(max_length=100, unique=True)
    description = models.CharField(max_length=300, blank=True)
    contacts: "models.ManyToManyField[Contact, ListMembership]" = models.ManyToManyField(
        Contact, through="ListMembership", related_name="lists"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = "list"

    def __str__(self) -> str:
        return self.name


class ListMembership(models.Model):
    """A contact's place on a list.

    Whoever makes one holds locks on both (`placing.kept`, `consent.lock`), and places go with either of them by a
    trigger: so the database does not look both up once more for each of a million rows.
    """

    # Found by `once_per_list`, which begins with it.
    list = models.ForeignKey(
        ContactList, on_delete=models.CASCADE, related_name="memberships", db_index=False, db_constraint=False
    )
    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="memberships", db_constraint=False)
    added_at = models.DateTimeField(auto_now_add=True)
    added_import = models.BigIntegerField(null=True, editable=False)  # id of the import that made this place

    class Meta:
        constraints = [models.UniqueConstraint(fields=["list", "contact"], name="once_per_list")]

    def __str__(self) -> str:
        return f"{self.list_id}/{self.contact_id}"
