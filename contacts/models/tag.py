from django.db import models

from contacts.models.contact import Contact


class Tag(models.Model):
    """A word put on contacts by hand. `Vip` and `VIP` are one tag, written as it was first."""

    name = models.CharField(max_length=50)
    # The name without case: a database's own folding knows only a to z on SQLite.
    folded_name = models.CharField(max_length=150, unique=True, editable=False)
    contacts: "models.ManyToManyField[Contact, Tagging]" = models.ManyToManyField(
        Contact, through="Tagging", related_name="tags"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [
            models.Index(fields=["created_at", "id"], name="tag_paging"),  # API list
        ]

    def __str__(self) -> str:
        return self.name


class Tagging(models.Model):
    tag = models.ForeignKey(Tag, on_delete=models.CASCADE, related_name="taggings", db_index=False)
    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="taggings")
    added_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        permissions = [("tag_contact", "Can put tags on contacts and take them off")]
        constraints = [models.UniqueConstraint(fields=["tag", "contact"], name="once_per_tag")]

    def __str__(self) -> str:
        return f"{self.tag_id}/{self.contact_id}"
