"""The text of a campaign for many people: the very text each would get alone, however many share it."""

import pytest

from campaigns import eligibility, ranges, rendering, texts, waterfall
from contacts import likeness
from contacts.models import Contact
from tests import factories
from tests.factories import NOW

pytestmark = pytest.mark.django_db

# Values that are equal to Python but not on paper, that are no text at all, or that are cleaned before printing.
# fmt: off
ODD = [
    1, 1.0, True, "1", "true", "", "  ", 0, False, None, ["a"], {"a": "b"}, "a\x1fb", "Zoe\u0308", "\u202eabc",
    '"', "€",
]
# fmt: on
BODIES = [
    "{{ city }}",
    "{{ city | default: 'nowhere' }} {{ attributes.city }} {{ attributes['a.b'] | default: '' }}",
    "{{ name }} and {{ attributes.name | default: 'no such' }} from {{ country | default: '?' }}",
    "{{ first_name | default: 'you' }} {{ language | default: '-' }} {{ external_id | default: '-' }}",
    "{% if city == 1 %}{{ country }}{% else %}{{ city | upcase }} {{ attributes.name }}{% endif %}",
    "{{ brand }}: the same for all",
]


@pytest.fixture
def people():
    phones = ["+447400123456", "+33612345678"]
    found = []
    for place, value in enumerate(ODD * 2):
        attributes = {"city": value, "name": f"n{place % 2}", "a.b": value} if place % 5 else {}
        over = {"name": f"Ann {place % 3}\tLee" if place % 4 else "", "language": "en" if place % 2 else ""}
        phone = phones[place] if place < len(phones) else ""
        found.append(factories.contact(phone, attributes=attributes, external_id=f"X{place}", **over))
    return found


def written(template, judge, *, brand):
    """By contact id: (text, code, fields that lack, parts)."""
    wording = texts.Texts(template, brand=brand, judge=judge)
    found = {}
    for group in judge.people(Contact.objects.all(), words=wording.words):
        for pk, text, effect in zip(group.ids, *wording.of(group), strict=True):
            body = text.rendered.body if effect.body is not None else None
            found[pk] = body, effect.code, effect.missing, effect.parts, effect.fault
    return found


@pytest.mark.parametrize("most", [1, 20_000])
@pytest.mark.parametrize("body", BODIES)
def test_each_gets_the_text_they_would_get_alone(people, body, most, monkeypatch):
    monkeypatch.setattr(texts, "MOST_TEXTS", most)
    sender = factories.sender()
    judge = likeness.Judge(context=eligibility.context_of(sender, purpose="marketing"), at=NOW)
    template = rendering.compile(body)

    found = written(template, judge, brand=sender.brand.name)

    for person in people:
        person.refresh_from_db()
        known = {
            name: getattr(person, name) for name in ("name", "external_id", "country", "language", "attributes")
        }
        alone = template.render(rendering.fields_of(known, brand=sender.brand.name))
        if alone.code:
            expected = None, alone.code, alone.missing, 0, ""
        else:
            expected = alone.body, "", (), alone.parts, judge.fault(alone.body, person.country)
        assert found[person.pk] == expected, known


def test_people_with_the_same_words_share_one_text():
    for city in ("Oslo", "Rome", "Oslo", "Oslo"):
        factories.contact(attributes={"city": city})
    sender = factories.sender()
    judge = likeness.Judge(context=eligibility.context_of(sender, purpose="marketing"), at=NOW)
    wording = texts.Texts(rendering.compile("In {{ city }}"), brand="Acme", judge=judge)
    (group,) = judge.people(Contact.objects.all(), words=wording.words)
    assert len(set(wording.of(group)[0])) == 2


@pytest.mark.parametrize("size", [1, 2, 100])
def test_of_texts_as_long_the_lowest_id_is_the_longest_of_those_who_get_one(size, monkeypatch):
    monkeypatch.setattr(ranges, "SIZE", size)
    sender = factories.sender()
    factories.contact(name="Annabella")  # has not agreed
    factories.opted_in(sender.brand, name="Al")
    first = factories.opted_in(sender.brand, name="Barbara", time_zone="America/New_York")
    factories.opted_in(sender.brand, name="Bernard")
    factories.opted_in(sender.brand, name="Bettina", time_zone="America/Chicago")
    body = "{{ brand }}: Hi {{ name }}. Reply STOP to opt out"
    campaign = factories.campaign(factories.contact_list(*Contact.objects.all()), sender=sender, body=body)
    tally = waterfall.advance(waterfall.begin(campaign, now=NOW), campaign, now=NOW, seconds=60)
    assert tally.longest_contact == first.pk
    assert (tally.examined, tally.parts) == (5, {"1": 4})
