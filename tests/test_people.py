import pytest

from contacts import people
from contacts.models import Contact, ZoneSource
from smsdesk import phones
from smsdesk.errors import Conflict, Invalid
from tests import factories
from tests.factories import NOW

pytestmark = pytest.mark.django_db


def phone(text: str = "+12125550101") -> phones.Phone:
    return phones.parse(text, default_region="US")


def test_adding_keeps_the_number_and_what_it_tells():
    contact = people.add(phone(), fields={"name": " Ann\x00\n Lee ", "attributes": {"city": "Rome"}}, now=NOW)

    contact.refresh_from_db()
    assert (contact.phone, contact.country, contact.name) == ("+12125550101", "US", "Ann Lee")
    assert contact.attributes == {"city": "Rome"}
    assert contact.external_id is None


def test_an_alias_form_of_a_known_number_is_the_same_person():
    people.add(phone("+5491123456789"), fields={}, now=NOW)

    with pytest.raises(Conflict) as refused:
        people.add(phone("+541123456789"), fields={}, now=NOW)

    assert (refused.value.code, refused.value.field) == ("phone_taken", "phone")


def test_an_external_id_belongs_to_one_contact():
    people.add(phone(), fields={"external_id": "c1"}, now=NOW)
    other = people.add(phone("+12125550102"), fields={"external_id": ""}, now=NOW)

    with pytest.raises(Conflict, match="external id"):
        people.add(phone("+12125550103"), fields={"external_id": "c1"}, now=NOW)
    with pytest.raises(Conflict, match="external id"):
        people.change(other, fields={"external_id": "c1"})


def test_changing_sets_what_is_given_and_keeps_the_rest():
    contact = factories.contact(name="Ann", language="en", attributes={"city": "Rome", "tier": "1"})

    changed = people.change(contact, fields={"name": "", "attributes": {"tier": "2", "city": ""}})

    assert (changed.name, changed.language, changed.attributes) == ("", "en", {"tier": "2"})


def test_a_zone_is_an_address_unless_the_person_stated_it():
    contact = factories.contact()
    assert people.change(contact, fields={"time_zone": "America/Denver"}).time_zone_source == ZoneSource.ADDRESS
    assert people.change(contact, fields={"time_zone": ""}).time_zone_source == ZoneSource.UNKNOWN

    stated = factories.contact(time_zone="America/Denver", time_zone_source=ZoneSource.STATED)
    people.change(stated, fields={"time_zone": "America/Denver", "name": "Ann"})
    with pytest.raises(Conflict, match="stated"):
        people.change(stated, fields={"time_zone": "America/New_York"})


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"phone": "+12125550199"}, "phone"),
        ({"name": "x" * 121}, "name"),
        ({"name": 7}, "name"),
        ({"language": "english please"}, "language"),
        ({"region": "Texas"}, "region"),
        ({"time_zone": "EST5EDT"}, "time_zone"),
        ({"attributes": ["a"]}, "attributes"),
        ({"attributes": {"First Name": "x"}}, "attributes"),
        ({"attributes": {"a": {}}}, "attributes.a"),
        ({"attributes": {"a": "x" * 501}}, "attributes.a"),
        ({"attributes": {f"a{n}": "x" for n in range(51)}}, "attributes"),
    ],
)
def test_bad_fields_are_refused_by_name_with_a_cure(fields, field):
    with pytest.raises(Invalid) as refused:
        people.add(phone(), fields=fields, now=NOW)

    assert refused.value.field == field
    assert refused.value.cure
    assert not Contact.objects.exists()


def test_upsert_adds_once_and_then_completes():
    first, was_added = people.upsert(external_id="c1", phone=phone(), fields={"name": "Ann"}, now=NOW)
    again, was_added_again = people.upsert(external_id="c1", phone=phone(), fields={"language": "en"}, now=NOW)

    assert (was_added, was_added_again, first.pk) == (True, False, again.pk)
    assert (again.name, again.language) == ("Ann", "en")


def test_upsert_gives_a_known_phone_its_external_id():
    known = factories.contact("+12125550101", name="Ann")

    contact, was_added = people.upsert(external_id="c1", phone=phone(), fields={}, now=NOW)

    assert (contact.pk, contact.external_id, was_added) == (known.pk, "c1", False)


@pytest.mark.parametrize(("external_id", "number"), [("c1", "+12125550102"), ("c2", "+12125550101")])
def test_upsert_never_moves_a_number_to_somebody_else(external_id, number):
    people.add(phone(), fields={"external_id": "c1"}, now=NOW)

    with pytest.raises(Conflict):
        people.upsert(external_id=external_id, phone=phone(number), fields={}, now=NOW)

    assert Contact.objects.get().phone == "+12125550101"
