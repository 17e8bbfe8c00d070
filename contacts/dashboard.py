"""What contacts put on the first page."""

from collections.abc import Iterable

from django.urls import reverse

from contacts.models import Brand, Contact, ContactImport, ImportState
from smsdesk import dashboard
from smsdesk.dashboard import Lesson, Link, Moment, Need


@dashboard.needs.add(permission="contacts.import_contact", order=30)
def failed_imports(moment: Moment) -> Iterable[Need]:
    failed = ContactImport.objects.filter(state=ImportState.FAILED).count()
    url = f"{reverse('admin:contacts_contactimport_changelist')}?state__exact={ImportState.FAILED}"
    yield Need("Failed imports", failed, url, "bad")


@dashboard.needs.add(permission="contacts.view_brand", order=1)
def switched_off(moment: Moment) -> Iterable[Need]:
    off = Brand.objects.filter(sending_paused=True).count()
    yield Need("Brands whose sending is switched off", off, reverse("admin:contacts_brand_changelist"), "bad")


@dashboard.quick_actions.add(permission="contacts.import_contact", order=30)
def bring_in(moment: Moment) -> Iterable[Link]:
    yield Link("Import contacts", reverse("admin:contacts_contactimport_add"))


@dashboard.navigation.add(permission="contacts.view_contact", order=30)
def page(moment: Moment) -> Iterable[Link]:
    yield Link("Contacts", reverse("admin:contacts_contact_changelist"))


@dashboard.lessons.add(permission="contacts.view_contact", order=20)
def newest_consent(moment: Moment) -> Iterable[Lesson]:
    newest = Contact.objects.filter(last_inbound_at__isnull=False).order_by("-last_inbound_at").first()
    if newest is not None:
        url = reverse("admin:contacts_contact_change", args=[newest.pk])
        yield Lesson("Read on their page what the last person to write agreed to, with the proof", False, url)
