"""Signing up on the public form: exactly what was shown, one text, and consent only from the phone itself."""

import time
import uuid
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import F
from django.db.utils import DatabaseError
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_q.models import OrmQ, Schedule

from campaigns.models import OutboundMessage, Sender
from contacts import chain, consent, erasure, permission, retention
from contacts.facts import Context, Facts
from contacts.models import ConsentEvent, ConsentSource, ConsentState, Contact, Suppression
from inbound import form_pages, opt_in_forms, receiving, reminding, tasks
from inbound.models import AutomaticReply, OptInForm, SignUp, SignUpState, Wording
from smsdesk import tallies
from smsdesk.errors import Invalid
from smsdesk.gateways.contract import InboundText
from smsdesk.models import Tally
from tests import factories, judging
from tests.test_receiving import in_threads

pytestmark = pytest.mark.django_db
PHONE = "+12125550111"
HOUR = timedelta(hours=1)


@pytest.fixture
def form():
    return factories.opt_in_form()


def page(form, *, ago=timedelta(minutes=1), wording=None):
    return form_pages.issue(wording or form.wording(), now=timezone.now() - ago)


def send(form, *, client=None, ip="192.0.2.7", **over):
    given = {"phone": PHONE, "agree": "on", "page": page(form), "fax": "", **over}
    given = {name: value for name, value in given.items() if value is not None}
    return (client or Client()).post(
        reverse("join", args=[form.ref]), given, REMOTE_ADDR=ip, headers={"User-Agent": "Firefox"}
    )


def texts():
    return list(OutboundMessage.objects.order_by("pk").values_list("text", flat=True))


def let_leave():
    """The texts that wait have gone to the carrier."""
    OutboundMessage.objects.filter(state="queued", purpose="compliance").update(state="accepted")


def says(form, body, *, at=None, now=None, phone=PHONE):
    let_leave()
    now = now or timezone.now()
    text = InboundText(
        event_key=f"{body}-{timezone.now().timestamp()}", gateway_id="gw", phone=phone,
        sender=form.sender.value, text=body, at=at or now,
    )  # fmt: skip
    return receiving.receive(form.sender.account, text, now=now)


def age(**over):
    """As if everything had happened so long ago."""
    by = timedelta(**over)
    SignUp.objects.update(**{name: F(name) - by for name in ("asked_at", "ends_at", "reminded_at", "created_at")})
    AutomaticReply.objects.update(created_at=F("created_at") - by)


def may_advertise(form):
    contact = Contact.objects.get(phone=PHONE)
    return judging.may_i(contact, brand=form.brand, purpose="marketing", at=timezone.now()).code


# --- the page -------------------------------------------------------------------------------------------


def test_the_page_shows_the_wording_with_a_box_nobody_has_ticked(form):
    answer = Client().get(reverse("join", args=[form.ref]))
    shown = answer.content.decode()
    assert form.wording().text.replace("&", "&amp;") in shown
    assert "https://acme.example/terms" in shown
    assert "checked" not in shown
    assert answer.cookies.keys() <= {"csrftoken"}
    assert "no-store" in answer["Cache-Control"]


def test_looking_at_the_pages_changes_nothing(form):
    client = Client()
    for method in (client.get, client.head):
        method(reverse("join", args=[form.ref]))
        method(reverse("joined", args=[form.ref]))
    assert (SignUp.objects.count(), Contact.objects.count(), texts()) == (0, 0, [])
    assert client.post(reverse("joined", args=[form.ref])).status_code == 405


@pytest.mark.parametrize("ref", ["frm_" + "0" * 32, "frm_x", "1", "con_" + "0" * 32, "x" * 300])
def test_an_address_nobody_gave_out_is_closed(form, ref):
    assert Client().get(f"/join/{ref}/").status_code == 404


def test_a_form_that_is_switched_off_takes_nothing(form):
    OptInForm.objects.update(is_active=False)
    assert send(form).status_code == 404
    assert SignUp.objects.count() == 0


def test_a_forged_post_without_the_cookie_is_refused(form):
    assert send(form, client=Client(enforce_csrf_checks=True)).status_code == 403
    assert SignUp.objects.count() == 0


# --- sending it in --------------------------------------------------------------------------------------


def test_a_form_asks_by_one_text_and_gives_no_consent_by_itself(form):
    answer = send(form)
    assert (answer.status_code, answer["Location"]) == (302, reverse("joined", args=[form.ref]))
    [text] = texts()
    assert text.startswith(f"{form.brand.name}: Reply YES")
    row = SignUp.objects.get()
    assert (row.state, row.ip, row.user_agent) == (SignUpState.ASKED, "192.0.2.7", "Firefox")
    assert row.ends_at - row.asked_at == 72 * HOUR
    assert not ConsentEvent.objects.exists()
    assert may_advertise(form) == "NO_CONSENT"


def test_yes_is_consent_with_the_very_words_that_were_shown(form):
    send(form)
    says(form, "Yes")
    opted_in, confirmed = ConsentEvent.objects.order_by("seq")
    proof = opted_in.evidence.document
    assert (opted_in.kind, opted_in.basis, opted_in.source, opted_in.is_proven) == (
        "opt_in", "express_written", "text", True,
    )  # fmt: skip
    assert confirmed.kind == "confirm"
    assert proof["wording"] == form.wording().shown
    assert (proof["method"], proof["ip"], proof["user_agent"]) == ("double_opt_in", "192.0.2.7", "Firefox")
    assert form.wording().sha256 in proof["document"]
    assert texts()[0] in proof["document"]
    assert SignUp.objects.get().state == SignUpState.JOINED
    assert texts()[1].startswith(f"{form.brand.name}: You're in!")
    assert ConsentState.objects.get().is_confirmed
    assert chain.first_break() is None


def test_a_second_yes_is_an_ordinary_text(form):
    send(form)
    says(form, "YES")
    assert says(form, "YES").intent == "none"
    assert ConsentEvent.objects.count() == 2


def test_yes_to_another_brand_is_no_answer(form):
    send(form)
    other = factories.opt_in_form(sender=factories.sender(account=form.sender.account))
    says(other, "YES")
    assert not ConsentEvent.objects.exists()


@pytest.mark.parametrize("given", [None, "", "off"])
def test_an_unticked_box_is_refused(form, given):
    answer = send(form, agree=given if given != "off" else "false")
    assert answer.status_code == 422
    assert "Tick the box" in answer.content.decode()
    assert SignUp.objects.count() == 0


@pytest.mark.parametrize(
    ("phone", "reason"),
    [("", "Type your mobile"), ("+12025550", "numbering plan"), ("+18005550100", "toll-free")],
)
def test_a_number_that_is_none_is_named(form, phone, reason):
    answer = send(form, phone=phone)
    assert answer.status_code == 422
    assert reason in answer.content.decode()


def test_what_was_typed_is_not_lost_and_the_box_is_not_ticked_for_anybody(form):
    shown = send(form, page="forged").content.decode()
    assert f'value="{PHONE}"' in shown
    assert "checked" not in shown


def test_a_filled_trap_is_a_robot(form):
    assert send(form, fax="+1 212").status_code == 422
    assert SignUp.objects.count() == 0


@pytest.mark.parametrize("token", ["", "forged", "x:y", "a" * 5_000, "\x00"])
def test_a_forged_page_is_shown_again(form, token):
    assert send(form, page=token).status_code in (400, 422)
    assert SignUp.objects.count() == 0


def test_a_page_of_another_form_is_shown_again(form):
    assert send(form, page=page(factories.opt_in_form())).status_code == 409
    assert SignUp.objects.count() == 0


@pytest.mark.parametrize("ago", [timedelta(0), timedelta(days=2)])
def test_a_page_sent_at_once_or_days_later_is_shown_again(form, ago):
    assert send(form, page=page(form, ago=ago)).status_code == 409
    assert SignUp.objects.count() == 0


def test_a_wording_that_has_changed_meanwhile_is_read_anew(form):
    old = page(form)
    draft = factories.wording(form.brand, text=opt_in_forms.EXAMPLE.replace("4", "9"))
    opt_in_forms.keep(form, draft=draft, by="marko", now=timezone.now())
    answer = send(form, page=old)
    assert answer.status_code == 409
    assert "Up to 9 msgs" in answer.content.decode()
    send(form)
    says(form, "YES")
    assert "Up to 9 msgs" in ConsentEvent.objects.first().evidence.document["wording"]


def test_a_page_counts_once(form):
    token = page(form)
    assert [send(form, page=token).status_code for _ in range(3)] == [302] * 3
    assert send(form, page=token, phone="+12125550112").status_code == 409
    assert (SignUp.objects.count(), len(texts())) == (1, 1)


# --- whose number it is, nobody learns; and a victim is not texted ------------------------------------------


@pytest.mark.parametrize("is_suppressed", [True, False])
def test_the_time_of_the_answer_tells_nobody_whether_a_text_goes(form, settings, is_suppressed):
    settings.SIGN_UP = {**settings.SIGN_UP, "answer_after_ms": 400}
    if is_suppressed:
        factories.suppression(PHONE, brand=form.brand, source="text")
    started = time.monotonic()
    assert send(form).status_code == 302
    assert time.monotonic() - started >= 0.4
    assert len(texts()) == (0 if is_suppressed else 1)


def test_the_answer_is_the_same_whoever_is_known(form):
    known = factories.opted_in(form.brand, phone="+12125550112")
    stopped = factories.opted_in(form.brand, phone="+12125550113")
    now = timezone.now()
    consent.opt_out(stopped, brand=form.brand, source=ConsentSource.TEXT, occurred_at=now, now=now)
    asked = "+12125550114"
    send(form, phone=asked)
    answers = set()
    for phone in (PHONE, known.phone, stopped.phone, asked):
        client = Client()
        answer = send(form, phone=phone, client=client)
        shown = client.get(answer["Location"])
        answers.add((answer.status_code, answer["Location"], shown.status_code, shown.content))
    assert len(answers) == 1


@pytest.mark.parametrize("brand_wide", [True, False])
def test_a_form_neither_texts_nor_frees_somebody_who_said_stop(form, brand_wide):
    person = factories.opted_in(form.brand, phone=PHONE)
    now = timezone.now()
    consent.opt_out(
        person, brand=form.brand if brand_wide else None, source=ConsentSource.TEXT, occurred_at=now, now=now
    )
    events = ConsentEvent.objects.count()
    assert send(form).status_code == 302
    assert texts() == []
    assert SignUp.objects.get().reason == "SUPPRESSED"
    assert ConsentEvent.objects.count() == events
    assert Suppression.objects.get().lifted_by is None


def test_a_form_that_trusts_whoever_fills_it_in_frees_nobody_either():
    form = factories.opt_in_form(double_opt_in=False)
    person, now = factories.contact(PHONE), timezone.now()
    consent.opt_out(person, brand=form.brand, source=ConsentSource.TEXT, occurred_at=now, now=now)
    send(form)
    assert ConsentEvent.objects.filter(kind="opt_in").count() == 0
    says(form, "START", now=timezone.now())
    assert may_advertise(form) == "NO_CONSENT"  # what a stranger may have typed is not revived


def test_an_opt_out_from_a_purpose_of_the_form_counts():
    form = factories.opt_in_form(purposes=["transactional"])
    person, now = factories.contact(PHONE), timezone.now()
    consent.opt_out(
        person, brand=form.brand, source=ConsentSource.LINK, purposes=["transactional"], occurred_at=now, now=now
    )
    send(form)
    assert (texts(), SignUp.objects.get().reason) == ([], "SUPPRESSED")


def test_somebody_whose_text_waits_for_a_person_is_not_texted(form):
    now = timezone.now()
    consent.hold(factories.contact(PHONE), brand=form.brand, inbound_id=None, said_at=now, now=now)
    send(form)
    assert (texts(), SignUp.objects.get().reason) == ([], "HELD_FOR_REVIEW")


def test_a_phone_that_was_erased_is_not_texted_and_not_kept_as_a_contact(form):
    factories.suppression(PHONE, brand=None, source="erasure")
    send(form)
    assert (texts(), Contact.objects.count()) == ([], 0)


def test_who_is_in_already_gets_no_text(form):
    send(form)
    says(form, "YES")
    age(days=2)
    send(form)
    assert SignUp.objects.latest("pk").reason == "ALREADY_IN"
    assert len(texts()) == 2


def test_a_victim_named_from_a_hundred_addresses_gets_the_allowed_texts_only(form):
    other = factories.opt_in_form(sender=factories.sender(account=form.sender.account))
    for number in range(100):
        assert send((form, other)[number % 2], ip=f"198.51.100.{number}").status_code == 302
    assert len(texts()) == 1
    for day in range(1, 30):
        age(days=1)
        for number in range(3):
            send(form, ip=f"203.0.113.{day + number}")
        reminding.end_overdue(now=timezone.now())
    assert len(texts()) == 3


def test_one_household_may_send_in_so_many_forms_an_hour(form, settings):
    settings.SIGN_UP = {**settings.SIGN_UP, "from_one_address_an_hour": 3}
    inside = [f"2001:db8:1:2::{number:x}" for number in range(1, 5)]
    codes = [send(form, ip=ip, phone=factories.next_phone()).status_code for ip in inside]
    assert codes == [302, 302, 302, 429]
    assert send(form, ip="2001:db8:1:3::1", phone=factories.next_phone()).status_code == 302
    assert len(texts()) == 4


def test_a_form_takes_so_many_an_hour_from_everywhere(form, settings):
    settings.SIGN_UP = {**settings.SIGN_UP, "of_one_form_an_hour": 2}
    codes = [send(form, ip=f"198.51.100.{n}", phone=factories.next_phone()).status_code for n in range(3)]
    assert codes == [302, 302, 429]


def test_the_address_is_the_proxys_word_only_behind_a_proxy(form, settings):
    client = Client(headers={"X-Forwarded-For": "203.0.113.9, 198.51.100.4"})
    send(form, client=client)
    settings.BEHIND_PROXY = True
    send(form, client=client, phone="+12125550112")
    assert list(SignUp.objects.order_by("pk").values_list("ip", flat=True)) == ["192.0.2.7", "198.51.100.4"]


# --- the answer comes, late, never, or is STOP ------------------------------------------------------------


def test_yes_after_the_time_does_not_count_whether_or_not_the_clock_has_run(form):
    send(form)
    age(hours=73)
    assert says(form, "YES").intent == "none"
    reminding.end_overdue(now=timezone.now())
    assert SignUp.objects.get().state == SignUpState.ENDED
    assert says(form, "YES").intent == "none"
    assert not ConsentEvent.objects.exists()


def test_yes_that_was_said_in_time_and_came_late_counts(form):
    send(form)
    age(hours=73)
    reminding.end_overdue(now=timezone.now())
    says(form, "YES", at=timezone.now() - 2 * HOUR)
    assert SignUp.objects.get().state == SignUpState.JOINED
    assert may_advertise(form) == "OK" or may_advertise(form) == "QUIET_HOURS"


def test_stop_in_place_of_yes_ends_it(form):
    send(form)
    says(form, "STOP")
    assert SignUp.objects.get().state == SignUpState.WITHDRAWN
    assert says(form, "YES").intent == "none"
    assert not ConsentEvent.objects.filter(kind="opt_in").exists()


def test_a_new_sign_up_replaces_the_open_one_after_a_day(form):
    send(form)
    age(hours=25)
    send(form)
    assert list(SignUp.objects.order_by("pk").values_list("state", flat=True)) == ["replaced", "asked"]


def test_an_ended_question_is_sent_by_no_machine_any_more(form):
    send(form)
    row = OutboundMessage.objects.get()
    assert row.send_by == SignUp.objects.get().ends_at
    late = Facts(
        context=Context(
            purpose="compliance", brand_id=1, brand_name="Acme", compliance_kind="optin_confirm",
            compliance_parts=frozenset(permission.OPTIN_PARTS), send_by=row.send_by,
        ),
        number=PHONE, region="US", kind="mobile", zones=("America/New_York",), rules=(),
    )  # fmt: skip
    assert permission.judge(late, row.send_by - timedelta(seconds=1)).outcome == "allowed"
    assert permission.judge(late, row.send_by).code == "NO_LONGER_ASKED"


# --- the reminder ---------------------------------------------------------------------------------------


def noon():
    """The next noon in New York, when nobody is asleep."""
    now = timezone.now()
    return (now + timedelta(days=1)).replace(hour=17, minute=0, second=0, microsecond=0)


def asked(form, *, hours, before):
    send(form)
    let_leave()
    SignUp.objects.update(asked_at=before - hours * HOUR, ends_at=before + (72 - hours) * HOUR)


def test_one_reminder_goes_a_day_later_and_never_again(form):
    asked(form, hours=25, before=noon())
    assert [reminding.remind_due(now=noon()).texts for _ in range(3)] == [1, 0, 0]
    assert reminding.remind_due(now=noon() + 20 * HOUR).texts == 0
    assert texts()[1].startswith(f"{form.brand.name}: Still want")


def test_no_reminder_within_the_day_or_after_an_answer(form):
    asked(form, hours=23, before=noon())
    assert reminding.remind_due(now=noon()).texts == 0
    says(form, "YES", now=noon())
    SignUp.objects.update(asked_at=noon() - 30 * HOUR)
    assert reminding.remind_due(now=noon()).texts == 0


def test_nobody_is_reminded_of_a_question_that_never_left(form):
    asked(form, hours=25, before=noon())
    OutboundMessage.objects.update(state="skipped", code="SUPPRESSED")
    assert reminding.remind_due(now=noon()).texts == 0


def test_a_yes_of_the_number_s_new_owner_answers_no_question_the_former_one_got(form):
    send(form)
    let_leave()
    consent.reassign(Contact.objects.get(), source=ConsentSource.ADMIN, now=timezone.now())
    says(form, "YES")
    assert not ConsentState.objects.filter(is_active=True).exists()
    assert SignUp.objects.get().state == SignUpState.ASKED


def test_a_reminder_waits_for_the_morning(form):
    asked(form, hours=30, before=noon())
    night = noon() + 10 * HOUR
    assert reminding.remind_due(now=night).texts == 0
    assert reminding.remind_due(now=noon() + 24 * HOUR).texts == 1


@pytest.mark.parametrize("what", ["opted out", "held", "switched off"])
def test_no_reminder_to_somebody_who_may_not_be_texted(form, what):
    asked(form, hours=30, before=noon())
    contact, now = Contact.objects.get(), timezone.now()
    if what == "opted out":
        consent.opt_out(contact, brand=form.brand, source=ConsentSource.ADMIN, occurred_at=now, now=now)
    elif what == "held":
        consent.hold(contact, brand=None, inbound_id=None, said_at=now, now=now)
    else:
        OptInForm.objects.update(is_active=False)
    assert reminding.remind_due(now=noon()).texts == 0


def test_a_phone_is_reminded_once_in_thirty_days_whatever_is_sent_in(form):
    asked(form, hours=30, before=noon())
    SignUp.objects.update(reminded_at=noon() - timedelta(days=20), state="ended")
    row = SignUp.objects.get()
    row.pk, row.public_id, row.nonce, row.state, row.reminded_at = None, None, "n2", "asked", None
    row.public_id = uuid.uuid4()
    row.save()
    assert reminding.remind_due(now=noon()).texts == 0


def three_asked(form):
    """Three people who have not answered for more than a day; the first of them may not be texted any more."""
    asked(form, hours=30, before=noon())
    first = SignUp.objects.get()
    now = timezone.now()
    consent.opt_out(Contact.objects.get(), brand=form.brand, source=ConsentSource.ADMIN, occurred_at=now, now=now)
    for number in (2, 3):
        contact = factories.contact()
        SignUp.objects.create(
            form=form, brand=form.brand, wording=first.wording, nonce=f"n{number}", phone=contact.phone,
            subscriber_key=contact.subscriber_key, state="asked", created_at=now, asked_at=first.asked_at,
            ends_at=first.ends_at, question=first.question,
        )  # fmt: skip
    return list(SignUp.objects.order_by("pk").values_list("pk", flat=True))


def test_a_round_that_takes_too_long_stops_and_the_next_goes_on_behind_it(form):
    _, second, third = three_asked(form)
    looks = iter([False, False, True])
    assert reminding.remind_due(now=noon(), is_late=lambda: next(looks)) == reminding.Round(1, second)
    assert reminding.remind_due(now=noon(), after=second) == reminding.Round(1, None)
    assert set(SignUp.objects.exclude(reminded_at=None).values_list("pk", flat=True)) == {second, third}


def test_a_run_whose_time_is_over_wakes_its_successor(form, monkeypatch):
    three_asked(form)
    SignUp.objects.update(asked_at=timezone.now() - 30 * HOUR, ends_at=timezone.now() + 30 * HOUR)
    monkeypatch.setattr(tasks, "_PATIENCE", -1.0)
    OrmQ.objects.all().delete()
    tasks.tend_sign_ups()
    [woken] = OrmQ.objects.all()
    assert (woken.task["func"], woken.task["args"]) == (tasks.TEND_SIGN_UPS, (0,))
    monkeypatch.setattr(tasks, "_PATIENCE", 60.0)
    tasks.tend_sign_ups(*woken.task["args"])
    assert [one.task["func"] for one in OrmQ.objects.all()].count(tasks.TEND_SIGN_UPS) == 1


def test_the_round_is_scheduled_and_may_run_any_number_of_times(form):
    assert Schedule.objects.get(func="inbound.tasks.tend_sign_ups").minutes == 5
    send(form)
    for _ in range(3):
        tasks.tend_sign_ups()
    assert SignUp.objects.get().state == SignUpState.ASKED


# --- single opt-in, keywords of a brand that wants a second yes --------------------------------------------


def test_a_trusting_form_records_consent_at_once_and_confirms_it_by_text():
    form = factories.opt_in_form(double_opt_in=False)
    send(form)
    event = ConsentEvent.objects.get()
    assert (event.source, event.basis, event.evidence.document["method"]) == (
        "web_form", "express_written", "web_form",
    )  # fmt: skip
    assert event.evidence.document["source"].endswith(f"/join/{form.ref}/")
    assert [text.split("!")[0] for text in texts()] == [f"{form.brand.name}: You're in"]


def test_a_brand_that_wants_double_opt_in_has_it_on_every_form():
    speaks = factories.sender(brand=factories.brand(double_opt_in=True))
    form = factories.opt_in_form(sender=speaks, double_opt_in=False)
    send(form)
    assert SignUp.objects.get().state == SignUpState.ASKED
    says(form, "YES")
    assert may_advertise(form) in ("OK", "QUIET_HOURS")


# --- forms and wordings ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("missing", "named"),
    [
        ("Acme", "the brand"),
        ("Up to 4 msgs/mo. ", "how often"),
        ("Msg & data rates may apply. ", "data rates"),
        ("Reply STOP to cancel, ", "STOP"),
        ("HELP for help", "HELP"),
        ("Consent is not a condition of purchase. ", "condition of purchase"),
    ],
)
def test_a_wording_that_lacks_something_cannot_be_saved(form, missing, named):
    text = opt_in_forms.EXAMPLE.replace(missing, "")
    with pytest.raises(Invalid, match=named):
        opt_in_forms.keep(form, draft=factories.wording(form.brand, text=text), by="", now=timezone.now())
    assert Wording.objects.count() == 1


def test_the_same_wording_is_no_new_version(form):
    opt_in_forms.keep(form, draft=factories.wording(form.brand), by="", now=timezone.now())
    assert Wording.objects.count() == 1


def test_links_are_needed_and_are_https(form):
    draft = opt_in_forms.Draft(form.wording().text, "http://acme.example/terms", "https://acme.example/p")
    with pytest.raises(Invalid, match="read this"):
        opt_in_forms.keep(form, draft=draft, by="", now=timezone.now())


@pytest.mark.parametrize(
    ("field", "value"),
    [("question", "Reply YES"), ("reminder", "{brand}: hi"), ("welcome", "You're in!"), ("purposes", []),
     ("purposes", ["compliance"])],
)  # fmt: skip
def test_a_form_without_what_the_rules_ask_for_cannot_be_saved(field, value):
    with pytest.raises(Invalid) as refused:
        factories.opt_in_form(**{field: value})
    assert refused.value.field == field


def test_a_sender_nobody_can_answer_asks_nobody():
    with pytest.raises(Invalid, match="answer YES or STOP"):
        factories.opt_in_form(sender=factories.sender(value="ACME", kind="alphanumeric"))


def test_the_database_refuses_to_change_a_wording_that_was_shown(form):
    with pytest.raises((DatabaseError, IntegrityError)), transaction.atomic():
        Wording.objects.update(text="something else")
    if connection.vendor == "postgresql":
        with pytest.raises((DatabaseError, IntegrityError)), transaction.atomic():
            Wording.objects.all()._raw_delete("default")


# --- the desk's own pages -------------------------------------------------------------------------------


ADD = "/admin/inbound/optinform/add/"


def typed(form, **over):
    draft = factories.wording(form.brand)
    return {
        "name": "Checkout", "title": "Offers", "brand": form.brand_id, "sender": form.sender_id,
        "purposes": ["marketing"], "double_opt_in": "on", "is_active": "on", "question": form.question,
        "reminder": form.reminder, "welcome": form.welcome, "text": draft.text, "terms_url": draft.terms_url,
        "privacy_url": draft.privacy_url, **over,
    }  # fmt: skip


def test_a_form_is_made_and_its_changed_wording_is_a_second_version(form, admin_client):
    assert admin_client.post(ADD, typed(form)).status_code == 302
    made = OptInForm.objects.get(name="Checkout")
    change = f"/admin/inbound/optinform/{made.pk}/change/"
    again = typed(form, text=made.wording().text.replace("4 msgs", "6 msgs"))
    assert admin_client.post(change, again).status_code == 302
    assert [(one.number, one.author) for one in made.wordings.order_by("number")] == [(1, "admin"), (2, "admin")]
    shown = admin_client.get(change).content.decode()
    assert made.wording().sha256 in shown
    assert f"/join/{made.ref}/" in shown


def test_what_a_wording_lacks_is_said_beside_it(form, admin_client):
    answer = admin_client.post(ADD, typed(form, text="Text me"))
    assert answer.status_code == 200
    assert "condition of purchase" in str(answer.context["adminform"].form.errors["text"])
    assert not OptInForm.objects.filter(name="Checkout").exists()


def test_the_preview_shows_the_page_and_sends_nothing(form, admin_client):
    OptInForm.objects.update(is_active=False)
    shown = admin_client.get(f"/admin/inbound/optinform/{form.pk}/preview/").content.decode()
    assert "A preview" in shown
    assert "csrfmiddlewaretoken" not in shown
    assert "disabled" in shown


def test_the_list_says_how_many_joined_of_how_many(form, admin_client, django_assert_max_num_queries):
    send(form)
    send(form, phone="+12125550112")
    says(form, "YES")
    factories.suppression("+12125550113", brand=None, source="text")
    send(form, phone="+12125550113")
    for _ in range(5):
        factories.opt_in_form(sender=form.sender)
    with django_assert_max_num_queries(14):
        shown = admin_client.get("/admin/inbound/optinform/").content.decode()
    assert "2 of 3" in shown
    assert "1 of 2" in shown


def test_sign_ups_are_listed_with_masked_numbers_and_the_reason(form, admin_client):
    factories.suppression(PHONE, brand=None, source="text")
    send(form)
    shown = admin_client.get("/admin/inbound/signup/").content.decode()
    assert "+1212***0111" in shown
    assert PHONE not in shown
    assert "No text sent" in shown
    row = SignUp.objects.get()
    assert admin_client.get(f"/admin/inbound/signup/{row.pk}/change/").status_code == 200


# --- what is held on a person, and for how long -------------------------------------------------------------


def test_erasure_leaves_a_bare_row_and_ends_the_question(form):
    send(form)
    person = Contact.objects.get()
    erasure.erase(person, by=factories.user(), actor="x", reason="asked", now=timezone.now())
    row = SignUp.objects.get()
    assert (row.phone, row.ip, row.user_agent, row.state) == ("", None, "", "withdrawn")
    assert says(form, "YES").intent == "none"


def test_number_and_address_go_after_ninety_days(form):
    send(form)
    says(form, "YES")
    later = timezone.now() + timedelta(days=91)
    retention.run(now=later, is_over=lambda: False)
    row = SignUp.objects.get()
    assert (row.phone, row.ip, row.user_agent, row.state) == ("", None, "", "joined")
    assert ConsentEvent.objects.first().evidence.document["ip"] == "192.0.2.7"


def test_counts_by_address_name_nobody_and_go(form):
    send(form)
    assert "192.0.2" not in " ".join(Tally.objects.values_list("key", flat=True))
    assert tallies.drop_old(now=timezone.now() + timedelta(hours=2)) == 2


# --- at the same instant (PostgreSQL) -----------------------------------------------------------------------

needs_postgres = pytest.mark.skipif(connection.vendor != "postgresql", reason="threads need PostgreSQL")


@needs_postgres
@pytest.mark.django_db(transaction=True)
def test_eight_forms_for_one_phone_at_once_cause_one_text():
    form = factories.opt_in_form()
    jobs = [lambda n=n: send(form, ip=f"198.51.100.{n}").status_code for n in range(8)]
    assert in_threads(*jobs) == [302] * 8
    assert (len(texts()), SignUp.objects.filter(state="asked").count()) == (1, 1)


@needs_postgres
@pytest.mark.django_db(transaction=True)
def test_one_page_sent_eight_times_at_once_for_several_phones_counts_once():
    form = factories.opt_in_form()
    token = page(form)
    phones = ["+12125550111", "+12125550112"] * 4
    codes = in_threads(*[lambda p=p: send(form, page=token, phone=p).status_code for p in phones])
    assert sorted(set(codes)) == [302, 409]
    assert (len(texts()), SignUp.objects.count()) == (1, 1)


@needs_postgres
@pytest.mark.django_db(transaction=True)
def test_yes_against_stop_at_once_ends_as_the_later_of_the_two():
    form = factories.opt_in_form()
    send(form)
    now = timezone.now()
    in_threads(lambda: says(form, "YES", at=now - timedelta(seconds=2)), lambda: says(form, "STOP", at=now))
    assert Suppression.objects.filter(lifted_by=None).count() == 1
    assert not ConsentState.objects.filter(is_active=True).exists()


@pytest.mark.parametrize("source", [ConsentSource.CARRIER, ConsentSource.LINK, ConsentSource.MERGE])
def test_a_yes_does_not_lift_an_opt_out_that_came_after_the_question_by_another_way(form, source):
    send(form)
    contact, now = Contact.objects.get(phone=PHONE), timezone.now()
    consent.opt_out(contact, brand=form.brand, source=source, occurred_at=now, now=now)

    says(form, "ok")

    assert may_advertise(form).startswith("SUPPRESSED")
    assert SignUp.objects.get().state == SignUpState.ASKED
    says(form, "START")
    assert not Suppression.objects.filter(lifted_by=None).exists()


# --- where a form's text may go, and which YES answers it --------------------------------------------------


@pytest.mark.parametrize(
    ("phone", "reason"),
    [
        ("+905321234567", "COUNTRY_BLOCKED"),
        ("+9607712345", "SENDER_UNREGISTERED"),
        ("+14165550123", "SENDER_UNREGISTERED"),
    ],
)
def test_a_form_texts_only_countries_its_sender_is_at_home_in(form, phone, reason):
    send(form, phone=phone)
    assert texts() == []
    assert SignUp.objects.get().reason == reason


def test_a_form_texts_where_its_sender_is_registered_too(form):
    Sender.objects.update(registered_in=["CA"])
    send(form, phone="+14165550123")
    assert len(texts()) == 1


def test_a_yes_to_a_question_that_never_left_answers_nothing(form):
    says(form, "hello, is my table ready?")
    send(form)
    OutboundMessage.objects.update(state="skipped", code="NUMBER_DEAD")
    says(form, "yes")
    assert may_advertise(form) == "NO_CONSENT"
    assert SignUp.objects.get().state == "asked"


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL has no INSERT OR REPLACE")
def test_a_shown_wording_is_not_replaced(form):
    shown = form.wording()
    with pytest.raises(IntegrityError), connection.cursor() as cursor:
        cursor.execute(
            "INSERT OR REPLACE INTO inbound_wording (form_id, number, text, terms_url, privacy_url, sha256, "
            "author, created_at) SELECT form_id, number, 'other', terms_url, privacy_url, sha256, author, "
            "created_at FROM inbound_wording WHERE id = %s",
            [shown.pk],
        )
