"""A file like one that was imported before is offered what was said of that one."""

from django.db.models import BooleanField, Case, Value, When

from contacts.models import ContactImport, ImportState


def last_like(contact_import: ContactImport, *, by_id: int | None) -> ContactImport | None:
    """The last started import of a file with the very same columns: one's own before that of somebody else.

    One that was undone is no example.
    """
    is_own = Case(When(created_by_id=by_id, then=Value(True)), default=Value(False), output_field=BooleanField())
    like = ContactImport.objects.filter(header=contact_import.header, started_at__isnull=False)
    like = like.exclude(state__in=(ImportState.UNDOING, ImportState.UNDONE)).exclude(pk=contact_import.pk)
    return like.select_related("brand", "list", "created_by").order_by(is_own.desc(), "-started_at").first()
