from django.conf import settings
from django.db import models

from contacts.models.contact import Contact
from smsdesk.public_ids import PublicIdModel


class ContactNote(PublicIdModel):
    """What an employee wrote down about a person; never sent, but the person may ask to read it."""

    prefix = "nte"

    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="notes", db_index=False)
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    text = models.TextField(max_length=4000)
    created_at = models.DateTimeField()

    class Meta:
        verbose_name = "note"
        default_permissions = ("view", "add", "delete")
        indexes = [
            # the page of the contact, its timeline, the API's list
            models.Index(fields=["contact", "created_at", "id"], name="notes_of_contact"),
        ]

    def __str__(self) -> str:
        return self.ref
