from django.conf import settings
from django.db import models

from contacts.models.contact import ContactList
from contacts.models.tag import Tag
from smsdesk.public_ids import PublicIdModel


class Segment(PublicIdModel):
    """A rule that says who belongs. It has no members of its own: whoever it fits when it is used, belongs.

    What a rule may hold says `contacts/segments/rules.py`.
    """

    prefix = "seg"

    name = models.CharField(max_length=100, unique=True)
    description = models.CharField(max_length=300, blank=True)
    rule = models.JSONField()
    # The lists and tags the rule names: none can be deleted under it, which would change whom it fits.
    lists: "models.ManyToManyField[ContactList, SegmentList]" = models.ManyToManyField(
        ContactList, through="SegmentList", related_name="segments"
    )
    tags: "models.ManyToManyField[Tag, SegmentTag]" = models.ManyToManyField(
        Tag, through="SegmentTag", related_name="segments"
    )
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        indexes = [
            models.Index(fields=["created_at", "id"], name="segment_paging"),  # API list
        ]

    def __str__(self) -> str:
        return self.name


class SegmentList(models.Model):
    """A list that a segment's rule names."""

    segment = models.ForeignKey(Segment, on_delete=models.CASCADE, related_name="+")
    list = models.ForeignKey(ContactList, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["segment", "list"], name="list_once_per_segment")]

    def __str__(self) -> str:
        return f"{self.segment_id}/{self.list_id}"


class SegmentTag(models.Model):
    """A tag that a segment's rule names."""

    segment = models.ForeignKey(Segment, on_delete=models.CASCADE, related_name="+")
    tag = models.ForeignKey(Tag, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["segment", "tag"], name="tag_once_per_segment")]

    def __str__(self) -> str:
        return f"{self.segment_id}/{self.tag_id}"
