from django.conf import settings
from django.db import models

from contacts.models.brand import Brand, Purpose
from contacts.models.contact import ContactList
from contacts.models.ledger import Basis
from smsdesk.public_ids import PublicIdModel


class ImportState(models.TextChoices):
    UPLOADED = "uploaded", "Uploaded"
    READY = "ready", "Ready to start"
    CHECKING = "checking", "Dry run"
    RUNNING = "running", "Running"
    FINISHED = "finished", "Finished"
    CANCELLED = "cancelled", "Cancelled"
    FAILED = "failed", "Failed"
    UNDOING = "undoing", "Being undone"
    UNDONE = "undone", "Undone"


class UndoStep(models.TextChoices):
    """What is taken back first to last: a person on a list, or with consent, is not removed."""

    CONSENT = "consent", "Consent"
    PLACES = "places", "List places"
    PEOPLE = "people", "People"


class ContactImport(PublicIdModel):
    """One uploaded file on its way into the contacts. `offset` moves with the rows it stands for, in one commit."""

    prefix = "imp"

    filename = models.CharField(max_length=200)
    sha256 = models.CharField(max_length=64)
    size = models.BigIntegerField()  # bytes that are kept
    sheet = models.CharField(max_length=100, blank=True)  # of a workbook: which one is read
    other_sheets = models.JSONField(default=list, blank=True)  # names of those that are not
    encoding = models.CharField(max_length=20, blank=True)
    delimiter = models.CharField(max_length=1, blank=True)
    header = models.JSONField(default=list)
    mapping = models.JSONField(default=dict)  # column name → contact field, "attributes.<name>" or ""
    brand = models.ForeignKey(Brand, on_delete=models.PROTECT, null=True, related_name="+")
    list = models.ForeignKey(ContactList, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    default_country = models.CharField(max_length=2, blank=True)
    # The consent this file is declared to carry; purpose "" means: none is claimed.
    purpose = models.CharField(max_length=14, choices=Purpose, blank=True)
    basis = models.CharField(max_length=20, choices=Basis, blank=True)
    consent_obtained_at = models.DateTimeField(null=True, blank=True)
    consent_method = models.CharField(max_length=20, blank=True)
    consent_wording = models.TextField(blank=True)
    consent_source = models.CharField(max_length=300, blank=True)
    state = models.CharField(max_length=10, choices=ImportState, default=ImportState.UPLOADED)
    offset = models.BigIntegerField(default=0)  # bytes of the file that are done
    line = models.BigIntegerField(default=0)
    created = models.BigIntegerField(default=0)
    updated = models.BigIntegerField(default=0)
    duplicate = models.BigIntegerField(default=0)
    invalid = models.BigIntegerField(default=0)
    suppressed = models.BigIntegerField(default=0)  # imported, and still suppressed
    consents = models.BigIntegerField(default=0)  # people whose consent was recorded by it
    # The dry run: how far it is, outcome → how many rows, and when it came to the end of the file.
    check_id = models.UUIDField(null=True)
    check_offset = models.BigIntegerField(default=0)
    check_line = models.BigIntegerField(default=0)
    forecast = models.JSONField(default=dict)
    checked_at = models.DateTimeField(null=True)
    marks = models.JSONField(default=dict)  # the last event, list place and contact before it started
    undo_step = models.CharField(max_length=10, choices=UndoStep, blank=True)
    undo_cursor = models.BigIntegerField(default=0)  # the last row of that step that is done
    undo_done = models.JSONField(default=dict)  # step → how many were taken back
    undo_left = models.JSONField(default=dict)  # why something was left → how many
    undo_started_at = models.DateTimeField(null=True)
    undone_at = models.DateTimeField(null=True)
    failure = models.CharField(max_length=300, blank=True)
    token = models.UUIDField(null=True)
    lease_until = models.DateTimeField(null=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = "import"

    def __str__(self) -> str:
        return self.filename

    @property
    def percent(self) -> int:
        """Of the dry run or of the import, whichever runs or ran last."""
        reached = self.offset if self.started_at else self.check_offset
        return min(100, reached * 100 // max(self.size, 1))


class ImportChunk(models.Model):
    """A piece of the file. In the database, because the worker may run on another host than the upload."""

    contact_import = models.ForeignKey(ContactImport, on_delete=models.CASCADE, related_name="chunks")
    start = models.BigIntegerField()  # offset of the first byte
    content = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["contact_import", "start"], name="one_chunk_per_offset")]

    def __str__(self) -> str:
        return f"{self.contact_import_id}@{self.start}"


class ImportMark(models.Model):
    """What a dry run has met in the file so far: phones and external ids.

    In the database, because a file may hold more people than memory, and another worker may go on. Digests keyed
    with the run's own id, so what an earlier run left says nothing.
    """

    contact_import = models.ForeignKey(ContactImport, on_delete=models.CASCADE, related_name="+", db_index=False)
    mark = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["contact_import", "mark"], name="met_once_per_import")]

    def __str__(self) -> str:
        return f"{self.contact_import_id}/{self.mark}"


class ImportProblem(models.Model):
    """One row of the file that could not be taken as it is; before the start, one of those a dry run foresees."""

    contact_import = models.ForeignKey(ContactImport, on_delete=models.CASCADE, related_name="problems")
    line = models.BigIntegerField()
    column = models.CharField(max_length=100, blank=True)
    value = models.CharField(max_length=200, blank=True)
    reason = models.CharField(max_length=300)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["contact_import", "line", "column"], name="one_problem_per_cell")
        ]

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}"
