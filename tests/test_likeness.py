"""People who are alike are judged once: with the very verdicts each would get alone."""

import dataclasses
import random
from collections import Counter
from datetime import date, timedelta

import pytest
from django.db import connection

from campaigns import eligibility, ranges, rendering, waterfall
from campaigns.models import OutboundState
from contacts import facts, gathering, likeness, permission
from contacts.gathering import Person
from contacts.models import Brand, ConsentState, Contact, Segment
from contacts.segments import keeping
from smsdesk import phones
from tests import factories, segment_people
from tests.factories import NOW

BODIES = [
    "{brand}: 20% off. Reply STOP to opt out.",
    "20% off. Reply STOP.",
    "{brand}: 20% off",
    "{brand}: look at bit.ly/x, STOP",
    None,
]
ABROAD = ["+447400123456", "+4915112345678", "+33612345678", "+14165550123", "+971501234567", "+18005550123"]
MOMENTS = [NOW, NOW + timedelta(hours=13), NOW + timedelta(days=183)]


@pytest.fixture
def people(db):
    """Random people with random histories, and everything else the judge may ask about."""
    found = segment_people.People(seed=11)
    chance = random.Random(5)
    for number, person in zip(ABROAD, found.contacts, strict=False):
        person.phone, person.subscriber_key = number, phones.subscriber_key(number)
        person.country = phones.region(number)
    for person in found.contacts:
        person.dead_since = chance.choice([None, None, None, NOW])
        person.line_type = chance.choice(["", "", "fixed", "mobile"])
        person.birth_date = chance.choice([None, date(1980, 1, 1), date(2008, 11, 18), date(2008, 11, 19)])
        person.time_zone_source = chance.choice(["", "stated"]) if person.time_zone else ""
        person.save()
    ended = list(ConsentState.objects.filter(is_active=False))
    for state in ended:
        state.ended_by = chance.choice(["opt_out", "expire", "reassign"])
        state.save()
    ConsentState.objects.filter(pk__in=[one.pk for one in found.states[::3]]).update(is_proven=True)
    return found


def alone(contact: Contact, *, context, at, body):
    verdict = permission.judge(gathering.facts_about(contact, context=context, at=at, body=body), at)
    return verdict.outcome, verdict.code, verdict.until


def together(contacts, *, context, at, bodies):
    judge = likeness.Judge(context=context, at=at)
    chosen = Contact.objects.filter(pk__in=[contact.pk for contact in contacts])
    read = judge.read(judge.people(chosen, words=[]))
    of, found = dict(zip([contact.pk for contact in contacts], bodies, strict=True)), {}
    for group in read.groups:
        for pk, kind in zip(group.ids, judge.kinds(group, read), strict=True):
            body = of[pk]
            fault = judge.fault(body, group.country) if body is not None else ""
            verdict = judge.verdict(group, kind, body=body, fault=fault)
            found[pk] = verdict.outcome, verdict.code, verdict.until
    return [found[contact.pk] for contact in contacts]


@pytest.mark.parametrize("at", MOMENTS)
@pytest.mark.parametrize("purpose", ["marketing", "transactional", "conversational"])
@pytest.mark.parametrize("changed", [{}, {"min_age": 18}, {"double_opt_in": True}, {"sending_paused": True}])
def test_each_gets_the_verdict_they_would_get_alone(people, purpose, at, changed):
    brand = people.brands[0]
    Brand.objects.filter(pk=brand.pk).update(**changed)
    brand.refresh_from_db()
    context = gathering.base_context(brand, purpose=purpose)
    texts = [body and body.format(brand=brand.name) for body in BODIES]
    bodies = [texts[place % len(texts)] for place in range(len(people.contacts))]

    found = together(people.contacts, context=context, at=at, bodies=bodies)

    for contact, body, verdict in zip(people.contacts, bodies, found, strict=True):
        assert verdict == alone(contact, context=context, at=at, body=body), contact.pk


@pytest.mark.parametrize("skips", [True, False])
@pytest.mark.parametrize("most", [1, 2, 3])
def test_a_cap_counts_each_persons_own_messages(people, most, skips):
    context = dataclasses.replace(
        gathering.base_context(people.brands[0], purpose="marketing"),
        caps=(facts.Cap(most, timedelta(days=40), skips=skips),),
    )
    bodies = [None] * len(people.contacts)
    for message in people.messages:
        message.submitted_at = message.accepted_at
        message.save()

    found = together(people.contacts, context=context, at=NOW, bodies=bodies)

    expected = [alone(contact, context=context, at=NOW, body=None) for contact in people.contacts]
    assert found == expected


def test_states_with_hours_of_their_own_are_kept_apart_within_one_zone(db):
    sender = factories.sender()
    numbers = ("+12125550123", "+18135550123", "+16175550123")
    people = [factories.opted_in(sender.brand, phone=phone) for phone in numbers]
    context = gathering.base_context(sender.brand, purpose="marketing")
    differed = False
    for hour in range(24):
        at = NOW + timedelta(hours=hour, minutes=30)
        found = together(people, context=context, at=at, bodies=[None] * 3)
        assert found == [alone(person, context=context, at=at, body=None) for person in people]
        differed |= len(set(found)) > 1
    assert differed


@pytest.mark.parametrize("skips", [True, False])
def test_only_who_has_reached_a_cap_is_kept_back_and_each_until_their_own_time(db, skips):
    sender = factories.sender()
    people = [factories.opted_in(sender.brand, phone=f"+1212555019{number}") for number in range(5)]
    campaigns = [factories.campaign(factories.contact_list(*people), sender=sender) for _ in range(2)]
    hours = [[], [1], [1, 2], [1, 3], [1, 30]]  # ago
    for person, ago in zip(people, hours, strict=True):
        for campaign, hour in zip(campaigns, ago, strict=False):
            at = NOW - timedelta(hours=hour)
            factories.outbound(
                campaign, person, state=OutboundState.DELIVERED, submit_no=1, submitted_at=at, accepted_at=at
            )
    context = dataclasses.replace(
        gathering.base_context(sender.brand, purpose="marketing"), caps=(facts.Cap(2, skips=skips),)
    )

    found = together(people, context=context, at=NOW, bodies=[None] * 5)

    assert found == [alone(person, context=context, at=NOW, body=None) for person in people]
    codes = ["OK", "OK", *(["FREQUENCY_CAP_REACHED" if skips else "FREQUENCY_CAP"] * 2), "OK"]
    assert [code for _, code, _ in found] == codes
    if not skips:
        assert found[3][2] < found[2][2]


def test_verdicts_that_were_forgotten_are_asked_for_again(people, monkeypatch):
    monkeypatch.setattr(likeness, "MOST_VERDICTS", 2)
    context = gathering.base_context(people.brands[0], purpose="marketing")
    bodies = [None] * len(people.contacts)
    expected = [alone(contact, context=context, at=NOW, body=None) for contact in people.contacts]
    assert together(people.contacts, context=context, at=NOW, bodies=bodies) == expected


def test_the_judge_is_asked_once_for_all_who_are_alike(people, monkeypatch):
    asked = []
    judge = permission.judge
    monkeypatch.setattr(permission, "judge", lambda about, at: asked.append(about) or judge(about, at))
    twins = [factories.contact(name=str(place)) for place in range(20)]

    together(
        twins, context=gathering.base_context(people.brands[0], purpose="marketing"), at=NOW, bodies=[None] * 20
    )

    assert len(asked) <= len({phones.plan(one.phone).time_zones for one in twins}) * 3


def test_nothing_the_judge_is_told_is_left_out_of_what_makes_people_alike():
    """Whoever adds a fact must say here how it enters the key."""
    in_key = {"region", "kind", "zones", "rules", "consents", "suppressions", "body", "last_inbound_at", "is_held"}
    in_key |= {"dead_since", "is_reassigned", "contact_zones", "zone_override", "birth_date"}
    never_alike = {"recent"}
    of_all = {"context", "needs_optout_line"}
    only_in_the_sentence = {"number"}
    never_of_a_campaign = {"is_erased", "stopped_at", "has_confirmation"}
    known = in_key | never_alike | of_all | only_in_the_sentence | never_of_a_campaign
    assert {field.name for field in dataclasses.fields(facts.Facts)} == known
    of_person = {"name", "external_id", "language", "attributes"}  # reach the judge in the text only
    used = {"phone", "subscriber_key", "country", "region", "time_zone", "time_zone_source", "birth_date"}
    used |= {"line_type", "dead_since", "last_inbound_at"}
    assert {field.name for field in dataclasses.fields(Person)} == of_person | used


def everybody_segment() -> Segment:
    rule = {"match": "any", "conditions": [{"kind": "held", "operator": name} for name in ("is", "is_not")]}
    return keeping.add(name="Everybody", rule=rule, by=None)


def counted_alone(campaign) -> Counter:
    template = rendering.compile(campaign.body)
    context = eligibility.context_of(campaign.sender, purpose="marketing", campaign=campaign)
    counts: Counter = Counter()
    for contact in Contact.objects.all():
        known = {
            name: getattr(contact, name) for name in ("name", "external_id", "country", "language", "attributes")
        }
        text = template.render(rendering.fields_of(known, brand=campaign.brand.name))
        outcome, code, until = alone(contact, context=context, at=NOW, body=text.body if not text.code else None)
        counts[text.code or (code if outcome == "blocked" or until else "OK")] += 1
    return counts


@pytest.mark.parametrize(
    "text",
    [
        "BRAND: Hi {{ first_name | default: 'you' }}, {{ city | default: 'hello' }}! Reply STOP to opt out.",
        "BRAND: Hi {{ name }} {{ attributes.city }}, STOP",
        "BRAND: {% if city %}{{ city | upcase }}{% else %}{{ born }}{% endif %} STOP",
    ],
)
def test_the_waterfall_is_the_sum_of_people_judged_alone(people, text, monkeypatch):
    monkeypatch.setattr(ranges, "SIZE", 7)
    campaign = people.campaigns[0]
    campaign.body = text.replace("BRAND", campaign.brand.name)
    campaign.include_segments.set([everybody_segment()])

    tally = waterfall.advance(waterfall.begin(campaign, now=NOW), campaign, now=NOW, seconds=60)

    found = Counter({**tally.blocked, **tally.waiting, "OK": tally.will_send})
    assert tally.is_done
    assert +found == counted_alone(campaign)


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="one connection on SQLite")
@pytest.mark.parametrize("seconds", [0, 60])
def test_reading_ahead_on_a_second_connection_counts_the_same(seconds, monkeypatch):
    monkeypatch.setattr(ranges, "SIZE", 3)
    sender = factories.sender()
    campaign = factories.campaign(factories.contact_list(*(factories.contact() for _ in range(10))), sender=sender)
    tally, runs = waterfall.begin(campaign, now=NOW), 0
    while not tally.is_done:
        waterfall.advance(tally, campaign, now=NOW, seconds=seconds)
        runs += 1
    assert (tally.examined, sum(tally.blocked.values())) == (10, 10)
    assert runs == (1 if seconds else 4)
