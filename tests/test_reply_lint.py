"""Answers the desk gives by itself say what carriers and regulators demand, or are not saved."""

import time

import pytest
from django.test import Client
from django.urls import reverse

from campaigns import lint
from contacts import reply_lint, wording
from contacts.models import Brand
from contacts.reply_lint import Kind
from inbound import automatic, keywords
from inbound.models import Keyword, KeywordAction
from smsdesk.errors import Invalid
from smsdesk.management import demo_people
from tests import factories

NAME = "Acme Deals"  # a name that sounds like an offer
PARTS = "Up to 4 msgs/mo. Msg & data rates may apply. Reply HELP for help, STOP to cancel."


def codes(text, kind, *, brand=NAME):
    return [one.code for one in reply_lint.check(text, kind=kind, brand=brand) if one.is_blocking]


def default(field):
    return Brand._meta.get_field(field).default


@pytest.mark.parametrize(("text", "kind"), [
    (default("stop_reply"), Kind.STOP),
    (default("start_reply"), Kind.OPT_IN),
    (default("help_reply"), Kind.HELP),
    (automatic.ASKING, Kind.OPT_IN),
    (demo_people.JOINED, Kind.OPT_IN),
])  # fmt: skip
def test_what_the_desk_ships_with_passes(text, kind):
    assert reply_lint.check(text, kind=kind, brand="Acme") == [] or kind == Kind.OPT_IN
    assert codes(text, kind) == []


GOOD = [
    (Kind.STOP, "Acme Deals: You have been unsubscribed and will not receive any more texts."),
    (Kind.STOP, "You are opted out of Acme Deals. No further messages will be sent. Reply START to resubscribe."),
    (Kind.STOP, "{brand}: no more offers from us, you won't get another text."),
    (Kind.STOP, "Acme Deals: no recibirás más mensajes."),
    (Kind.STOP, "Acme Deals: vous ne recevrez plus de SMS."),
    (Kind.STOP, "Acme Deals: Sie bekommen keine Nachrichten mehr."),
    (Kind.HELP, "Acme Deals: call +1 202 555 0100. STOP to end."),
    (Kind.HELP, "Acme Deals: help@acme.example, STOP to end."),
    (Kind.HELP, "Acme Deals help: acme.example/help. Reply STOP to end."),
    (Kind.HELP, "Acme Deals: reply to this text and a person answers. STOP to end."),
    (Kind.OPT_IN, f"Acme Deals: You're in! {PARTS}"),
    (Kind.OPT_IN, f"{{brand}}: Welcome, up to 4 offers per month, 4 msgs/mo. {PARTS}"),
    (Kind.REPLY, "We are open until six. 10 % off today!"),
    (Kind.REPLY, "Text 2 to win, or reply STOP to cancel. Text 9 for store hours."),
]


@pytest.mark.parametrize(("kind", "text"), GOOD)
def test_good_ones_pass(kind, text):
    assert codes(text, kind) == []


BAD = [
    (Kind.STOP, "You will get no more messages.", "brand_missing"),
    (Kind.STOP, "Acme Deals: ok!", "stop_unconfirmed"),
    (Kind.STOP, "Acme Deals: You will get no more messages. 20% off if you stay!", "has_offer"),
    (Kind.STOP, "Acme Deals: no more messages. Use coupon BYE5", "has_offer"),
    (Kind.STOP, "Acme Deals: no more messages. Before you go: see our deals", "persuades"),
    (Kind.STOP, "Acme Deals: no more messages. Are you sure?", "persuades"),
    (Kind.STOP, "Acme Deals: no more messages. https://acme.example/sale", "has_link"),
    (Kind.STOP, "Acme Deals: no more messages. See acme.example", "has_link"),
    (Kind.STOP, "Acme Deals: no more messages. bit.ly/x", "public_shortener"),
    (Kind.STOP, "{brand}: no more messages, {first_name}.", "unknown_field"),
    (Kind.STOP, " \n", "text_empty"),
    (Kind.HELP, "Acme Deals: this is help. Reply STOP to cancel.", "help_without_contact"),
    (Kind.HELP, "Reply here and a person reads it.", "brand_missing"),
    (Kind.HELP, "Acme Deals: call 202-555-0100. Free shipping today! STOP to end.", "has_offer"),
    (Kind.OPT_IN, "Acme Deals: You're in!", "confirmation_incomplete"),
    (Kind.OPT_IN, f"Acme Deals: You're in! Here is $5 off. {PARTS}", "has_offer"),
    (Kind.OPT_IN, f"You're in! {PARTS}", "brand_missing"),
    (Kind.REPLY, "Reply 2 to stop", "number_for_stop"),
    (Kind.REPLY, "See TinyURL.com/x", "public_shortener"),
]


@pytest.mark.parametrize(("kind", "text", "code"), BAD)
def test_bad_ones_are_refused_with_field_value_and_cure(kind, text, code):
    assert code in codes(text, kind)
    with pytest.raises(Invalid) as refused:
        reply_lint.refuse(text, kind=kind, brand=NAME, field="stop_reply")
    assert refused.value.field == "stop_reply"
    assert refused.value.value == text[:60]
    assert refused.value.cure


@pytest.mark.parametrize("part", ["brand", "frequency", "rates", "help", "stop"])
def test_each_part_of_an_opt_in_confirmation_is_missed(part):
    pieces = {
        "brand": "Acme Deals: You're in!", "frequency": "Up to 4 msgs/mo.", "rates": "Msg & data rates may apply.",
        "help": "Reply HELP for help.", "stop": "STOP to cancel.",
    }  # fmt: skip
    said = " ".join(text for name, text in pieces.items() if name != part)
    expected = "brand_missing" if part == "brand" else "confirmation_incomplete"
    assert codes(said, Kind.OPT_IN) == [expected]


@pytest.mark.parametrize("text", [
    "Reply 2 to stop", "reply '9' to unsubscribe", "Text 2 to opt out", "Send 0 for opt-out", "To stop, text 9",
    "to unsubscribe from these texts reply 2", "9=stop", "2: unsubscribe", "Press 1 to end", "Reply with 5 to quit",
    "REPLY ２ TO STOP", "Responde 2 para cancelar",
])  # fmt: skip
def test_a_number_in_place_of_stop_is_found(text):
    assert wording.number_for_stop(wording.fold(text))


@pytest.mark.parametrize("text", [
    "Reply STOP to stop", "Text STOP to 12345", "Send JOIN to 555 to win", "Reply 1 for yes, 2 for no. STOP to end",
    "Reply STOP to end, text 2 for hours", "Open until 18:00. Reply STOP", "2 stops from here", "Buy 2 to get 1",
])  # fmt: skip
def test_other_numbers_are_left_alone(text):
    assert not wording.number_for_stop(wording.fold(text))


def test_long_and_dear_texts_are_only_warned_of():
    said = f"Acme Deals: You’re in! {PARTS}"
    assert codes(said, Kind.OPT_IN) == []
    assert [one.code for one in reply_lint.check(said, kind=Kind.OPT_IN, brand=NAME)] == ["ucs2", "several_parts"]


@pytest.mark.parametrize(
    "text", ["\x00", "x" * 10**6, "{" * 1_600, "reply " * 266, "0" * 1_600, "1-" * 800, "a." * 800]
)
def test_any_text_is_read_in_no_time(text):
    begun = time.process_time()
    for kind in Kind:
        reply_lint.check(text, kind=kind, brand=NAME)
    assert time.process_time() - begun < 1


# --- where texts are saved ------------------------------------------------------------------------------


@pytest.fixture
def admin(db):
    client = Client()
    client.force_login(factories.staff(
        "contacts.view_brand", "contacts.change_brand", "contacts.add_brand", "inbound.add_keyword",
    ))  # fmt: skip
    return client


def save(client, brand, **over):
    page = reverse("admin:contacts_brand_change", args=[brand.pk])
    fields = client.get(page).context["adminform"].form.initial
    given = {name: "" if value is None else value for name, value in fields.items()} | over
    given["blocked_countries"] = '["TR"]'
    return client.post(page, given, follow=True)


def test_the_admin_saves_a_brand_as_it_comes(admin):
    page = save(admin, factories.brand(name="Acme"))
    assert [str(message) for message in page.context["messages"] if message.level_tag == "warning"] == []
    assert "was changed successfully" in page.content.decode()


@pytest.mark.parametrize(("field", "text", "said"), [
    ("stop_reply", "{brand}: no more messages. 10% off if you stay", "may not carry an offer"),
    ("help_reply", "{brand}: help!", "how to reach a person"),
    ("start_reply", "{brand}: You are in!", "lacks: program, frequency, rates, help, stop"),
])  # fmt: skip
def test_the_admin_refuses_a_brand_with_a_bad_answer_beside_its_field(admin, field, text, said):
    brand = factories.brand(name="Acme")
    page = save(admin, brand, **{field: text})
    assert said in " ".join(page.context["adminform"].form.errors[field])
    assert text in page.content.decode()
    assert getattr(Brand.objects.get(pk=brand.pk), field) != text


def test_the_admin_warns_of_a_long_answer_and_saves_it(admin):
    brand = factories.brand(name="Acme")
    page = save(admin, brand, stop_reply="{brand}: no more messages. " + "Thank you. " * 14)
    assert any("2 parts" in str(message) for message in page.context["messages"])
    assert Brand.objects.get(pk=brand.pk).stop_reply.startswith("{brand}: no more")


def test_a_keyword_is_judged_by_the_same_rules(db):
    brand = factories.brand(name="Acme")
    keyword = Keyword(
        brand=brand, word="JOIN", action=KeywordAction.OPT_IN, call_to_action="Text JOIN", reply="{brand}: in!"
    )
    with pytest.raises(Invalid, match="lacks") as refused:
        keywords.check(keyword)
    assert refused.value.field == "reply"
    keyword.action, keyword.reply = KeywordAction.REPLY, "Reply 2 to stop"
    with pytest.raises(Invalid, match="number"):
        keywords.check(keyword)


def test_a_campaign_may_not_put_a_number_in_place_of_stop_either(db):
    campaign = factories.campaign(body="{{ brand }}: Sale. To stop, text 9")
    assert "A number may not stand in for STOP." in [
        one.message for one in lint.check(campaign, body=campaign.body)
    ]
