"""Several senders of one campaign: by country, shared in a pool, and everybody stays with the number they know."""

import itertools
from collections import Counter

import pytest
from django.db import connection
from django.utils import timezone

from campaigns import (
    accounts,
    allowances,
    batch,
    drafting,
    due_rows,
    further_senders,
    lanes,
    lifecycle,
    lint,
    preview,
    sender_choice,
    snapshot,
    vital_signs,
    waterfall,
)
from campaigns.further_senders import Serving
from campaigns.models import Campaign, CampaignSender, CampaignState, Lane, OutboundMessage, SenderKind
from contacts.models import ListMembership
from smsdesk.errors import Invalid, WrongState
from tests import factories, racing, sending_rig
from tests.factories import NOW

pytestmark = pytest.mark.django_db

_britons = itertools.count()


def briton(**over):
    return factories.contact(f"+4474001{next(_britons):05}", **over)


def serve(campaign, *servings):
    further_senders.write(campaign, [Serving(sender, countries) for sender, *countries in servings])
    return Campaign.objects.get(pk=campaign.pk)


def another(sender, **over):
    """A further sender of the same brand and account."""
    return factories.sender(**{"brand": sender.brand, "account": sender.account, **over})


def draft(*people, **over):
    values = {"body": "Your order is ready.", "purpose": "transactional", **over}
    return factories.campaign(factories.contact_list(*people), **values)


def prepared(campaign):
    lifecycle.launch(campaign, by=None, now=NOW)
    lifecycle.start_due(now=NOW)
    lifecycle.prepare_due(now=NOW)
    return sent_from(campaign)


def sent_from(campaign):
    """By contact the sender of their row, whose lane it must have."""
    rows = OutboundMessage.objects.filter(campaign=campaign).select_related("lane")
    assert all(row.lane.sender_id == row.sender_id for row in rows)
    return {row.contact_id: row.sender_id for row in rows}


# --- Who gets which sender ----------------------------------------------------------------------------


def test_the_country_of_the_number_chooses_the_sender_and_the_campaigns_own_serves_the_rest():
    here, there, nowhere = factories.contact(), briton(), factories.contact(country="")
    campaign = draft(here, there, nowhere)
    british = another(campaign.sender)
    campaign = serve(campaign, (british, "GB"))

    assert prepared(campaign) == {
        here.pk: campaign.sender_id,
        there.pk: british.pk,
        nowhere.pk: campaign.sender_id,
    }


def test_a_pool_is_shared_by_rate_and_each_senders_people_are_spread_over_its_lanes():
    people = [briton() for _ in range(400)]
    campaign = draft(*people)
    fast = another(campaign.sender, parts_per_second=1_500)
    slow = another(campaign.sender, parts_per_second=500)
    campaign = serve(campaign, (fast, "GB"), (slow, "GB"))

    shares = Counter(prepared(campaign).values())

    assert shares.keys() == {fast.pk, slow.pk}
    assert shares[fast.pk] == pytest.approx(300, abs=8)
    on_lanes = Counter(OutboundMessage.objects.filter(sender=fast).values_list("lane__number", flat=True))
    assert sorted(on_lanes) == [0, 1, 2]
    assert min(on_lanes.values()) > 80


def test_the_campaigns_own_sender_shares_a_country_in_which_it_has_a_row():
    people = [briton() for _ in range(100)]
    stranger = factories.contact()
    campaign = draft(*people, stranger)
    other = another(campaign.sender)
    campaign = serve(campaign, (other, "GB"), (campaign.sender, "GB"))

    chosen = prepared(campaign)

    assert chosen[stranger.pk] == campaign.sender_id
    shares = Counter(chosen[person.pk] for person in people)
    assert shares[other.pk] == pytest.approx(50, abs=5)
    assert shares[campaign.sender_id] == 100 - shares[other.pk]


def texted(campaign, sender, person, **over):
    """An earlier message to this person."""
    earlier = factories.campaign(sender=sender)
    return factories.outbound(earlier, person, **{"state": "delivered", **over})


def test_a_person_keeps_the_number_they_know_also_when_pool_and_rates_are_others():
    people = [briton() for _ in range(30)]
    first = draft(*people)
    pool = [another(first.sender, parts_per_second=rate) for rate in (10, 20, 30)]
    before = prepared(serve(first, *((one, "GB") for one in pool)))
    assert len(set(before.values())) == 3
    OutboundMessage.objects.update(state="delivered")

    added = another(first.sender, parts_per_second=1_000)
    for one, rate in zip(pool, (900, 1, 5), strict=True):
        one.parts_per_second = rate
        one.save()
    again = draft(*people, sender=first.sender)
    after = prepared(serve(again, *((one, "GB", "IE") for one in (added, *reversed(pool)))))

    assert after == before


def test_the_last_message_that_may_have_left_counts_and_no_other():
    person = briton()
    campaign = draft(person)
    pool = sorted((another(campaign.sender) for _ in range(2)), key=lambda one: one.pk)
    campaign = serve(campaign, *((one, "GB") for one in pool))
    usual = sender_choice.of_contact(campaign, person)
    (other,) = (one for one in pool if one != usual)

    for state in ("queued", "cancelled", "skipped", "rejected"):
        texted(campaign, other, person, state=state, code="X")
        assert sender_choice.of_contact(campaign, person) == usual, state
    texted(campaign, other, person, state="unknown")
    assert sender_choice.of_contact(campaign, person) == other
    texted(campaign, usual, person, state="sent")
    assert sender_choice.of_contact(campaign, person) == usual
    texted(campaign, campaign.sender, person)  # not in the pool
    assert sender_choice.of_contact(campaign, person) == usual


def test_a_sender_that_left_the_pool_is_not_used_although_they_know_it():
    person = briton()
    campaign = draft(person)
    gone, *pool = (another(campaign.sender) for _ in range(3))
    texted(campaign, gone, person)
    chosen = prepared(serve(campaign, *((one, "GB") for one in pool)))
    assert chosen[person.pk] in {one.pk for one in pool}


def test_an_interrupted_snapshot_goes_on_with_the_same_senders(monkeypatch):
    monkeypatch.setattr(snapshot, "RANGE", 3)
    campaign = draft(*(briton() for _ in range(8)), factories.contact())
    british = another(campaign.sender)
    campaign = serve(campaign, (british, "GB"))
    lifecycle.launch(campaign, by=None, now=NOW)
    lifecycle.start_due(now=NOW)
    snapshot.cut(campaign, now=NOW)
    snapshot.take_range(campaign, now=NOW)
    lifecycle.prepare_due(now=NOW)
    assert Counter(sent_from(campaign).values()) == {british.pk: 8, campaign.sender_id: 1}


def test_with_many_pools_every_country_is_served_by_its_own():
    campaign = draft(briton(), factories.contact())
    codes = further_senders.countries(["GB", "US", "FR", "DE", "CA", "IE", "AT"])
    servings = [(another(campaign.sender), *codes[number:]) for number in range(len(codes))]
    campaign = serve(campaign, *servings)
    allowed = {code: {one.pk for one, *served in servings if code in served} for code in codes}
    for row in OutboundMessage.objects.filter(campaign=campaign).select_related("contact"):
        assert row.sender_id in allowed[row.contact.country]
    assert len(prepared(campaign)) == 2


# --- How its rows leave -------------------------------------------------------------------------------


def moving(*people, **over):
    """In `sending`, with a British sender beside its own, each on an account of its own."""
    campaign = draft(*people, **over)
    for person in people:
        sending_rig.agreed(person, campaign.sender)
    british = factories.sender(brand=campaign.sender.brand)
    campaign = serve(campaign, (british, "GB"))
    prepared(campaign)
    campaign.refresh_from_db()
    assert campaign.state == CampaignState.SENDING
    return campaign, british


def test_rows_of_a_further_senders_lane_are_seen_where_the_campaigns_own_is_idle():
    campaign, british = moving(briton())
    lane = british.lanes.get().pk
    assert sending_rig.candidates() == [lane]
    [waiting] = [one for one in vital_signs.take().sending if one.oldest is not None]
    assert (waiting.campaign, waiting.account) == (campaign.pk, british.account_id)
    sending_rig.record(*sending_rig.submit(british))
    assert sending_rig.states(campaign) == ["accepted"]
    assert sending_rig.candidates() == []


def test_of_a_paused_campaign_no_lane_is_seen():
    campaign, _ = moving(briton(), factories.contact())
    lifecycle.pause(campaign, by=None, now=NOW)
    assert sending_rig.candidates() == []
    assert lanes.earliest() is None


def test_a_paused_account_does_not_hold_up_the_other_senders_people():
    campaign, british = moving(briton(), factories.contact())
    accounts.pause(campaign.sender.account_id, reason="No money.", now=timezone.now())
    assert sending_rig.candidates() == [british.lanes.get().pk]
    sending_rig.record(*sending_rig.submit(british))
    assert sending_rig.states(campaign) == ["accepted", "queued"]
    lifecycle.finish_done(now=NOW)
    campaign.refresh_from_db()
    assert campaign.state == CampaignState.SENDING


def test_a_failure_on_one_sender_puts_the_batches_of_the_others_under_watch():
    campaign, british = moving(briton(), factories.contact())
    Campaign.objects.update(watched_until=timezone.now() + timezone.timedelta(minutes=1))
    assert all(sending_rig.win(sender)[0].is_watched for sender in (campaign.sender, british))
    stranger = sending_rig.campaign(1)
    assert not sending_rig.win(stranger.sender)[0].is_watched


def test_no_row_comes_into_a_batch_twice_though_the_campaigns_own_sender_has_a_row_too():
    people = [briton() for _ in range(6)]
    campaign = draft(*people)
    other = another(campaign.sender)
    for person in people:
        sending_rig.agreed(person, campaign.sender)
    campaign = serve(campaign, (campaign.sender, "GB"), (other, "GB"))
    prepared(campaign)
    for sender in (campaign.sender, other):
        sender.parts_per_second = 10
        sender.save()
    candidates = sending_rig.candidates()
    assert len(candidates) == len(set(candidates)) == 2
    together = lanes.win(candidates) if connection.vendor == "postgresql" else sending_rig.win(other)
    assert due_rows.campaigns(together, is_capped=True) == [campaign.pk]
    rows = [row.id for row in batch.read(together).rows]
    assert len(rows) == len(set(rows))
    if connection.vendor == "postgresql":
        assert len(rows) == 6


def test_the_cap_of_one_sender_is_named_and_the_others_go_on():
    campaign, british = moving(briton(), factories.contact())
    assert allowances.waits_for_tomorrow(campaign, at=NOW) == ""
    british.daily_cap = 1
    british.save()
    sending_rig.record(*sending_rig.submit(british))
    now = timezone.now()
    campaign = Campaign.objects.get(pk=campaign.pk)
    said = allowances.waits_for_tomorrow(campaign, at=now)
    assert f"{british} has sent 1 of 1 parts today" in said
    assert said.endswith("Its other senders go on.")
    assert sending_rig.candidates() == [campaign.sender.lanes.get().pk]


# --- The waterfall and the preview --------------------------------------------------------------------


def mixed(*, body):
    """A name for Britain beside a 10DLC number, and some of both countries."""
    number = factories.sender(country="US")
    name = another(number, kind=SenderKind.ALPHANUMERIC, value="ACME", country="GB")
    people = [sending_rig.agreed(briton(), number) for _ in range(3)]
    people += [sending_rig.agreed(factories.contact(), number) for _ in range(2)]
    people += [briton(), factories.contact()]  # have not agreed
    campaign = draft(*people, sender=number, body=body)
    return campaign, number, name, people


def counted(campaign, *, now=NOW):
    return waterfall.advance(waterfall.begin(campaign, now=now), campaign, now=now, seconds=60)


def test_people_are_counted_with_the_sender_that_is_then_really_theirs():
    campaign, number, name, _ = mixed(body="Your order is ready.")
    # A name to Americans is refused: whether it is the campaign's own …
    assert counted(serve(campaign, (name, "US"))).blocked == {"SENDER_NOT_ALLOWED": 3, "NO_CONSENT": 1}
    # … or not, so that they get it from the number.
    Campaign.objects.filter(pk=campaign.pk).update(sender=name)
    campaign = serve(campaign, (number, "US"))
    now = timezone.now()
    tally = counted(campaign, now=now)
    assert (tally.will_send, tally.blocked) == (5, {"NO_CONSENT": 2})

    lifecycle.launch(campaign, by=None, now=now)
    lifecycle.start_due(now=now)
    lifecycle.prepare_due(now=now)
    for sender in (number, name):
        sending_rig.record(*sending_rig.submit(sender))
    assert Counter(sending_rig.states(campaign)) == {"accepted": 5, "skipped": 2}


@pytest.mark.parametrize("is_name_first", [True, False])
def test_what_a_text_must_say_is_asked_of_the_sender_that_says_it(is_name_first):
    """A name is the brand itself; a number must name it. Both speak in one country; some texts name the brand."""
    brand, account = factories.brand(), factories.account()

    def named():
        return factories.sender(
            brand=brand, account=account, kind=SenderKind.ALPHANUMERIC, value="ACME", country="GB"
        )

    name = named() if is_name_first else None
    number = factories.sender(brand=brand, account=account)
    name = name or named()
    people = [
        factories.opted_in(brand, phone=f"+44740020{n:04}", name=(brand.name, "Bo")[n % 2]) for n in range(40)
    ]
    body = "{{ name }}: ten % off. STOP: {{ optout_link }}"
    campaign = draft(*people, sender=number, purpose="marketing", body=body)
    campaign = serve(campaign, (name, "GB"), (number, "GB"))
    tally = counted(campaign)
    nameless = [person for person in people if person.name == "Bo"]
    refused = sum(sender_choice.of_contact(campaign, person) == number for person in nameless)
    assert 4 < refused < 16
    assert tally.blocked == {"CONTENT_NO_BRAND": refused}
    assert tally.will_send + sum(tally.waiting.values()) == 40 - refused


def test_the_waterfall_is_counted_anew_when_the_further_senders_change():
    campaign = draft(briton())
    one, two = (another(campaign.sender) for _ in range(2))
    keys = [waterfall.key(campaign)]
    for servings in ([(one, "GB")], [(one, "GB", "IE")], [(two, "GB", "IE")], [(one, "GB"), (two, "GB")]):
        keys.append(waterfall.key(serve(campaign, *servings)))
    two.parts_per_second = 7
    two.save()
    keys.append(waterfall.key(Campaign.objects.get(pk=campaign.pk)))
    two.is_registered = False
    two.save()
    keys.append(waterfall.key(Campaign.objects.get(pk=campaign.pk)))
    assert len(set(keys)) == len(keys)
    assert waterfall.key(Campaign.objects.get(pk=campaign.pk)) == keys[-1]


def test_the_preview_shows_the_sender_of_the_person_shown():
    here, there = factories.contact(), briton()
    campaign = draft(here, there)
    british = another(campaign.sender)
    campaign = serve(campaign, (british, "GB"))

    def shown(contact):
        found = preview.of(campaign, body=campaign.body, pick="this", contact_id=contact.pk, now=NOW)
        return found.contact, found.sender

    assert shown(here) == (here, campaign.sender)
    assert shown(there) == (there, british)
    ListMembership.objects.all().delete()
    assert shown(there) == (None, campaign.sender)


# --- What may be named --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "kept"),
    [(["gb", " us ", "GB"], ["GB", "US"]), (["IM"], ["IM"]), (["us"] * 300, ["US"])],
)
def test_countries_are_kept_in_one_form(given, kept):
    assert further_senders.countries(given) == kept


@pytest.mark.parametrize(
    ("given", "value", "cure"),
    [
        (["GB", "XX"], "XX", "Two-letter codes"),
        (["uk"], "uk", "Write GB"),
        (["Germany"], "Germany", "Two-letter codes"),
        ([""], "", "Two-letter codes"),
        ([], "", "Two-letter codes"),
        (["ß" * 99], "ß" * 40, "Two-letter codes"),
    ],
)
def test_what_is_no_country_is_refused_with_value_and_cure(given, value, cure):
    with pytest.raises(Invalid) as refused:
        further_senders.countries(given)
    assert (refused.value.field, refused.value.value) == ("further_senders", value)
    assert cure in refused.value.cure


def test_a_launch_is_refused_with_the_further_sender_that_is_wrong():
    campaign = draft(briton())
    stranger = factories.sender()
    campaign = serve(campaign, (stranger, "GB"), (another(campaign.sender), "QQ"), (another(campaign.sender),))
    problems = lifecycle.problems(campaign, now=NOW)
    assert [error.code for error in problems] == ["sender_of_other_brand", "unknown_country", "no_country"]
    assert problems[0].value == stranger.value
    assert {error.field for error in problems} == {"further_senders"}
    with pytest.raises(Invalid):
        lifecycle.launch(campaign, by=None, now=NOW)


def test_findings_name_the_sender_they_are_about_once():
    campaign, number, name, _ = mixed(body="")
    campaign.purpose = "marketing"
    campaign.save()
    campaign = serve(campaign, (name, "GB"))

    def said(body):
        return [finding.message for finding in lint.check(campaign, body=body)]

    assert said(f"{number.brand.name}: 10 % off. STOP: {{{{ optout_link }}}}") == []
    (message,) = said("10 % off. STOP: {{ optout_link }}")
    assert message == f"From {number}: The text does not name the brand {number.brand.name}."
    (message,) = said(f"{number.brand.name}: 10 % off: {{{{ optout_link }}}}")
    assert message == f"From {number}: A marketing text must say how to opt out."
    (message,) = said(f"{number.brand.name}: 10 % off. STOP")
    assert message == "People cannot answer the name ACME and the text has no opt-out link."
    (message,) = said(f"{number.brand.name}: 10 % off bit.ly/x STOP {{{{ optout_link }}}}")
    assert message.startswith("The text uses the public link shortener")
    campaign.purpose = "transactional"
    assert said("Ready.{% if country == 'US' %} Reply STOP to end{% endif %}") == []
    (message,) = said("Ready.{% if country == 'GB' %} Reply STOP to end{% endif %}")
    assert message == "Nobody can answer the name ACME, so “reply STOP” is an empty promise."


def test_a_name_is_warned_of_only_where_it_serves():
    campaign, _, name, _ = mixed(body="")
    assert lint.check(serve(campaign, (name, "GB")), body="Ready.") == []
    (finding,) = lint.check(serve(campaign, (name, "GB", "CA", "AE")), body="Ready.")[:1]
    assert "cannot send to numbers in CA;" in finding.message
    unregistered = lint.check(serve(campaign, (name, "AE")), body="Ready.")
    assert [finding.message for finding in unregistered] == [
        "The sender ACME is not registered in AE; people there are skipped."
    ]


# --- Drafts -------------------------------------------------------------------------------------------


def test_a_copy_has_the_same_further_senders():
    campaign = draft(briton())
    british = another(campaign.sender)
    copy = drafting.duplicate(serve(campaign, (british, "GB")), by=factories.user())
    assert further_senders.of(copy) == [Serving(british, ["GB"])]


def test_once_launched_the_further_senders_are_frozen():
    campaign = draft(briton())
    british = another(campaign.sender)
    campaign = serve(campaign, (british, "GB"))
    lifecycle.launch(campaign, by=None, now=NOW)
    with pytest.raises(WrongState):
        drafting.save(campaign, values={}, lists={}, further=[], now=NOW)
    assert CampaignSender.objects.count() == 1


def test_a_step_saved_after_the_campaign_was_read_is_judged_before_the_launch():
    campaign = draft(briton())
    read_before = Campaign.objects.get(pk=campaign.pk)
    assert not lifecycle.problems(read_before, now=NOW)
    drafting.save(campaign, values={}, lists={}, further=[Serving(factories.sender(), ["GB"])], now=timezone.now())
    with pytest.raises(Invalid) as refused:
        lifecycle.launch(read_before, by=None, now=NOW)
    assert refused.value.code == "sender_of_other_brand"


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="row locks need PostgreSQL")
def test_what_is_saved_while_it_is_launched_is_in_it_or_refused():
    sender = factories.sender()
    further = another(sender)
    for _ in range(5):
        campaign = draft(briton(), sender=sender)
        own = [Campaign.objects.get(pk=campaign.pk) for _ in range(2)]
        refused = racing.at_once(
            lambda own=own: lifecycle.launch(own[0], by=None, now=NOW),
            lambda own=own: drafting.save(
                own[1], values={}, lists={}, further=[Serving(further, ["GB"])], now=timezone.now()
            ),
        )
        campaign.refresh_from_db()
        assert campaign.state == CampaignState.SCHEDULED
        assert campaign.further_senders.count() == (0 if refused else 1)
        assert all(isinstance(error, WrongState) for error in refused)


def test_lanes_are_made_for_every_sender():
    campaign = draft(briton())
    fast = another(campaign.sender, parts_per_second=1_200)
    prepared(serve(campaign, (fast, "GB")))
    assert Lane.objects.filter(sender=fast).count() == 3
