"""Rows written column by column: the same on both databases, whatever stands in them."""

import uuid

import pytest
from django.db import IntegrityError, transaction

from contacts.models import ConsentEvidence, Contact, ContactList, ListMembership
from smsdesk import bulk_copy, public_ids
from tests import factories
from tests.factories import NOW

pytestmark = pytest.mark.django_db

AWKWARD = ["", "\\N", "\\", "a\tb", "a\nb", "a\r\nb", "\\.", "\\t", "“é” 😀", 'say "hi", {x}', "NULL", "%s", "?"]


def written(names, external_ids):
    count = len(names)
    bulk_copy.insert(
        Contact,
        own={
            "id": bulk_copy.fresh_ids(Contact, count),
            "public_id": public_ids.fresh(count, now=NOW),
            "phone": [factories.next_phone() for _ in names],
            "subscriber_key": [f"key {n}" for n in range(count)],
            "name": names,
            "external_id": external_ids,
            "attributes": [bulk_copy.as_json({"said": name}) for name in names],
        },
        shared=dict.fromkeys(("language", "country", "region", "time_zone", "time_zone_source"), "")
        | {"created_at": NOW, "updated_at": NOW, "dead_since": None},
    )
    return Contact.objects.order_by("pk")


@pytest.mark.parametrize("external_ids", [AWKWARD, [None] * len(AWKWARD), [None, *AWKWARD[1:]]])
def test_every_text_comes_back_as_it_was(external_ids):
    rows = written(AWKWARD, external_ids)

    assert [(row.name, row.external_id, row.attributes) for row in rows] == [
        (name, external_id, {"said": name}) for name, external_id in zip(AWKWARD, external_ids, strict=True)
    ]
    assert {(row.created_at, row.dead_since) for row in rows} == {(NOW, None)}


def test_more_rows_than_a_statement_holds_are_all_written():
    count = 3 * bulk_copy._AT_ONCE + 1

    assert written([f"Person {n}" for n in range(count)], [None] * count).count() == count


def test_what_breaks_a_constraint_raises_and_leaves_nothing():
    group, person = ContactList.objects.create(name="Regulars"), factories.contact()

    with pytest.raises(IntegrityError), transaction.atomic():
        bulk_copy.insert(
            ListMembership, own={"contact": [person.pk, person.pk]}, shared={"list": group.pk, "added_at": NOW}
        )

    assert not ListMembership.objects.exists()


def test_no_rows_are_no_statement(django_assert_num_queries):
    with django_assert_num_queries(0):
        bulk_copy.insert(ConsentEvidence, own={"event": [], "salt": [], "document": []}, shared={})
        assert bulk_copy.fresh_ids(Contact, 0) == []


def test_no_id_is_given_twice_even_after_its_row_is_gone():
    person = factories.contact()
    taken = person.pk
    person.delete()

    later = bulk_copy.fresh_ids(Contact, 3)

    assert len({*later}) == 3
    assert min(later) > taken


def test_public_ids_made_together_are_uuids_of_their_time_and_all_different():
    made = [uuid.UUID(hex=text) for text in public_ids.fresh(1_000, now=NOW)]

    assert len(set(made)) == 1_000
    assert {(one.version, one.variant, one.int >> 80) for one in made} == {
        (7, uuid.RFC_4122, int(NOW.timestamp() * 1000))
    }
