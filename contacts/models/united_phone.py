from django.db import models

from contacts.models.contact import Contact


class UnitedPhone(models.Model):
    """A phone whose contact was merged into another one: the same person, so what one phone refuses both refuse.

    Should that phone become a contact of its own again, its history is that contact's; the tie stays.
    """

    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="united_phones", db_index=False)
    subscriber_key = models.CharField(max_length=44, db_index=True)  # an opt-out asks whose phone this is too
    phone = models.CharField(max_length=16)
    former_public_id = models.UUIDField(null=True, db_index=True)  # of the contact that went: links may name it
    united_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        permissions = [("merge_contact", "Can merge two contacts of one person")]
        constraints = [
            models.UniqueConstraint(fields=["contact", "subscriber_key"], name="once_per_united_phone"),
        ]

    def __str__(self) -> str:
        return f"{self.contact_id} {self.subscriber_key[:12]}"
