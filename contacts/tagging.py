"""Tags: words put on contacts by hand, one person at a time or all who match something."""

from collections.abc import Callable, Iterable
from datetime import datetime

from django.contrib.auth.models import AnonymousUser, User
from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from contacts import audit, consent
from contacts.models import Contact, Tag, Tagging
from smsdesk import bulk_sql, sms_text
from smsdesk.errors import Conflict, Invalid

LONGEST_NAME = 50
MOST_AT_ONCE = 50  # names in one request
_PAGE = 5_000  # contacts that are locked at a time, for milliseconds


def clean(name: str) -> str:
    """The name as it is written; raises `Invalid`."""
    text = " ".join("".join(c if c.isprintable() else " " for c in sms_text.clean(name)).split())
    if not text:
        raise Invalid("tag_empty", "A tag needs a name.", field="tag", cure="For example: vip.")
    if len(text) > LONGEST_NAME:
        cure = f"Use at most {LONGEST_NAME} characters."
        raise Invalid("tag_too_long", "This is too long for a tag.", field="tag", value=text[:60], cure=cure)
    if "," in text:
        cure = "Give each tag by itself."
        raise Invalid("tag_with_comma", "A tag has no comma in it.", field="tag", value=text, cure=cure)
    return text


def folded(name: str) -> str:
    """What makes two names one tag."""
    return " ".join(name.split()).casefold()


def named(name: str) -> Tag:
    """The tag of this name, made when there is none; safe when several do it at once."""
    text = clean(name)
    known = Tag.objects.filter(folded_name=folded(text))
    tag = known.first()
    if tag is None:
        Tag.objects.bulk_create([Tag(name=text, folded_name=folded(text))], ignore_conflicts=True)
        tag = known.get()
    return tag


def known(name: str) -> Tag:
    """The tag of this name; raises `Invalid` when nobody ever had it."""
    tag = Tag.objects.filter(folded_name=folded(clean(name))).first()
    if tag is None:
        cure = "Choose one of those that are in use."
        raise Invalid("unknown_tag", "There is no tag of this name.", field="tag", value=name[:60], cure=cure)
    return tag


def rename(tag: Tag, *, name: str) -> Tag:
    """Raises `Conflict` when another tag has the name."""
    text = clean(name)
    try:
        with transaction.atomic():
            Tag.objects.filter(pk=tag.pk).update(name=text, folded_name=folded(text))
    except IntegrityError as error:
        raise Conflict(
            "tag_taken", "Another tag has this name.", field="name", value=text, cure="Use another name."
        ) from error
    tag.refresh_from_db()
    return tag


def put(contact: Contact, names: Iterable[str], *, by: User | AnonymousUser, now: datetime) -> None:
    """Put tags of these names on the contact; one it has already stays as it is."""
    with transaction.atomic():
        tags = {tag.pk: tag for tag in map(named, names)}
        if not consent.lock([contact.pk]):
            return  # gone meanwhile: nobody is left to be tagged
        added = [tag for tag, _ in _insert(list(tags), [contact.pk], now=now)]
        if added:
            audit.note(contact, f"Tagged: {_listed(tags[pk] for pk in sorted(added))}.", by=by)


def take_off(contact: Contact, names: Iterable[str], *, by: User | AnonymousUser) -> None:
    """Take tags of these names off the contact; one it does not have is no fault."""
    wanted = [folded(clean(name)) for name in names]
    with transaction.atomic():
        rows = Tagging.objects.filter(contact=contact, tag__folded_name__in=wanted)
        tags = [row.tag for row in rows.select_related("tag").order_by("tag__folded_name")]
        if tags:
            rows.delete()
            audit.note(contact, f"Tags taken off: {_listed(tags)}.", by=by)


def put_on_all(people: "QuerySet[Contact]", *, tag: Tag, by: User | AnonymousUser, now: datetime) -> int:
    """Put the tag on everybody in `people`; how many did not have it.

    Page by page, each committed by itself: repeated after a crash, it goes on with those that are missing.
    """

    def put_on(page: dict[int, Contact]) -> int:
        fresh = [page[contact] for _, contact in _insert([tag.pk], list(page), now=now)]
        audit.note_all(fresh, f"Tagged: {_listed([tag])}.", by=by)
        return len(fresh)

    added = _in_pages(people, put_on)
    audit.note(tag, f"Put on {added:,} contacts.", by=by)
    return added


def take_off_all(people: "QuerySet[Contact]", *, tag: Tag, by: User | AnonymousUser) -> int:
    """Take the tag off everybody in `people`; how many had it."""

    def take_off_page(page: dict[int, Contact]) -> int:
        rows = Tagging.objects.filter(tag=tag, contact__in=page)
        had = [page[contact] for contact in rows.values_list("contact_id", flat=True)]
        rows.delete()
        audit.note_all(had, f"Tags taken off: {_listed([tag])}.", by=by)
        return len(had)

    removed = _in_pages(people, take_off_page)
    audit.note(tag, f"Taken off {removed:,} contacts.", by=by)
    return removed


def _in_pages(people: "QuerySet[Contact]", act: Callable[[dict[int, Contact]], int]) -> int:
    """What `act` says of all pages together; a page is locked meanwhile, so that nobody in it is erased."""
    total = after = 0
    keys = people.order_by("pk").values_list("pk", flat=True)
    while page := list(keys.filter(pk__gt=after)[:_PAGE]):
        with transaction.atomic():
            # Locked by key and not as found: what lists join and make distinct cannot be locked.
            there = Contact.objects.filter(pk__in=page).order_by("pk").select_for_update(no_key=True)
            total += act({person.pk: person for person in there.only("name", "phone")})
        after = page[-1]
    return total


def _insert(tags: list[int], contacts: list[int], *, now: datetime) -> list[tuple[int, int]]:
    """Keys of tag and contact, for each contact that did not have it."""
    rows = [(tag, contact, now) for tag in sorted(tags) for contact in contacts]
    columns = ("tag", "contact", "added_at")
    new = bulk_sql.insert_missing_rows(Tagging, columns=columns, rows=rows, returning=("tag", "contact"))
    return [(tag, contact) for tag, contact in new]


def _listed(tags: Iterable[Tag]) -> str:
    return ", ".join(tag.name for tag in tags)
