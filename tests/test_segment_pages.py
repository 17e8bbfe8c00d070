"""The segment builder: rows that come and go, a count that is true, and what is said where something is missing."""

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse
from django.utils import timezone

from contacts import segment_forms
from contacts.models import Segment
from contacts.segments import keeping, kinds
from tests import factories
from tests.test_segments import US, rule

pytestmark = pytest.mark.django_db

ALL = tuple(f"contacts.{verb}_segment" for verb in ("view", "add", "change", "delete"))
TEXANS = {
    "rule-match": "all",
    "rule-0-kind": "region",
    "rule-0-operator": "is_any_of",
    "rule-0-values": "tx, NY",
}


@pytest.fixture
def marketer(client):
    client.force_login(factories.staff(*ALL, "campaigns.view_campaign"))
    return client


def url(name, *args):
    return reverse(f"admin:contacts_segment_{name}", args=args)


def text(answer):
    assert answer.status_code == 200
    return answer.content.decode()


def test_an_empty_page_teaches(marketer):
    assert "A segment is a rule" in text(marketer.get(url("changelist")))


def test_a_segment_is_made_shown_again_and_changed(marketer):
    answer = marketer.post(url("add"), {"name": "South", **TEXANS})
    segment = Segment.objects.get()
    assert answer.url == url("change", segment.pk)
    assert segment.rule == rule({"kind": "region", "operator": "is_any_of", "values": ["TX", "NY"]})
    page = text(marketer.get(answer.url))
    assert 'value="TX, NY"' in page
    marketer.post(answer.url, {"name": "South", **TEXANS, "rule-0-values": "TX"})
    segment.refresh_from_db()
    assert segment.rule["conditions"][0]["values"] == ["TX"]
    assert LogEntry.objects.count() == 2


def test_what_is_missing_is_said_at_its_row_and_nothing_typed_is_lost(marketer):
    values = {"name": "South", **TEXANS, "rule-0-values": "Texas", "rule-1-kind": ""}
    page = text(marketer.post(url("add"), values))
    assert "This is not a US state." in page
    assert "Choose what to ask." in page
    assert 'value="Texas"' in page
    assert 'value="South"' in page
    assert not Segment.objects.exists()


def test_a_name_that_is_taken_or_missing_is_said(marketer):
    keeping.add(name="South", rule=rule(US), by=None)
    assert "already" in text(marketer.post(url("add"), {"name": "South", **TEXANS}))
    assert "needs a name" in text(marketer.post(url("add"), {"name": " ", **TEXANS}))
    assert Segment.objects.count() == 1


def press(client, do, **values):
    answer = client.post(url("add"), {**TEXANS, **values, "do": do}, headers={"HX-Request": "true"})
    assert "<html" not in text(answer)
    return answer.context["top"]


def test_the_buttons_add_and_remove_rows_and_groups(marketer):
    assert [part.name for part in press(marketer, "add").parts] == ["rule-0", "rule-1"]
    top = press(marketer, "group")
    assert [(part.name, part.is_group) for part in top.parts if isinstance(part, segment_forms.Rows)] == [
        ("rule-1", True)
    ]
    nested = {"rule-1-match": "any", "rule-1-0-kind": "held", "rule-1-1-kind": "held"}
    assert len(press(marketer, "add-1", **nested).parts[1].parts) == 3
    assert len(press(marketer, "remove-1-0", **nested).parts[1].parts) == 1
    assert len(press(marketer, "remove-0", **nested).parts) == 1
    assert [part.kind for part in press(marketer, "remove-0").parts] == [""], "one row is always there to fill in"
    assert not Segment.objects.exists()


@pytest.mark.parametrize(
    "do",
    [
        "",
        "-",
        "add-9",
        "add-0",
        "remove",
        "remove-9",
        "group-0-0-0",
        "remove-x",
        "drop",
        "add-99999999999",
        "refresh-7",
    ],
)
def test_a_button_nobody_made_does_nothing(marketer, do):
    assert press(marketer, do).parts[0].name == "rule-0"


def test_without_script_the_same_buttons_answer_with_the_page(marketer):
    page = text(marketer.post(url("add"), {**TEXANS, "do": "add"}))
    assert "<html" in page
    assert "rule-1-kind" in page
    assert "of 0 contacts" in text(marketer.post(url("add"), {**TEXANS, "do": "refresh"}))


def test_another_kind_begins_with_its_first_operator(marketer):
    top = press(marketer, "refresh", **{"rule-0-kind": "held"})
    assert (top.parts[0].operator, top.parts[0].after) == ("is", [])


def test_choosing_in_one_row_answers_with_that_row_only(marketer):
    values = {**TEXANS, "rule-1-kind": "held", "do": "refresh-1"}
    page = text(marketer.post(url("add"), values, headers={"HX-Request": "true"}))
    assert "rule-1-operator" in page
    assert "rule-0" not in page


def test_the_count_and_ten_examples_are_shown_with_masked_phones(marketer):
    people = [factories.contact(region="TX", name=f"Tex {number}") for number in range(12)]
    factories.contact(region="CA")
    page = text(marketer.post(url("preview"), TEXANS))
    assert '<strong class="num">12</strong> of 13 contacts' in page
    assert page.count('<th scope="row">') == 10
    assert "***" in page
    assert not any(person.phone in page for person in people)


def test_an_unfinished_rule_is_not_counted(marketer):
    assert "Complete the conditions" in text(marketer.post(url("preview"), {**TEXANS, "rule-1-kind": "name"}))


def test_counting_takes_the_same_queries_for_few_and_many(marketer, django_assert_max_num_queries):
    for _ in range(15):
        factories.contact(region="TX")
    with django_assert_max_num_queries(9):  # session, user, its permissions; two counts, examples
        marketer.post(url("preview"), TEXANS)


def test_every_kind_can_be_chosen_shown_and_shown_again(marketer):
    for kind in kinds.known().values():
        for operator in kind.operators:
            chosen = {"rule-match": "all", "rule-0-kind": kind.name, "rule-0-operator": operator}
            page = text(marketer.post(url("add"), {**chosen, "do": "refresh"}, headers={"HX-Request": "true"}))
            for param in kind.params_of(operator):
                assert f'name="rule-0-{param.name}"' in page


def test_a_stored_rule_becomes_rows_and_the_same_rule_again():
    vip, brand = factories.contact_list(), factories.brand()
    campaign = factories.campaign(launched_at=timezone.now())
    stored = rule(
        US,
        {"kind": "list", "operator": "on_any_of", "lists": [vip.pk]},
        rule(
            {"kind": "consent", "operator": "ends_in_next", "purpose": "marketing", "brand": brand.pk, "days": 5},
            rule({"kind": "sent", "operator": "did", "campaign": campaign.pk}),
            match="any",
        ),
    )
    assert segment_forms.of_rule(stored).as_rule() == stored


@pytest.mark.parametrize(
    "values",
    [
        {"rule-0-kind": "x" * 5000},
        {"rule-0-kind": "name", "rule-0-operator": "is", "rule-0-value": "\x00"},
        {"rule-0-kind": "created", "rule-0-operator": "in_last", "rule-0-days": "9" * 30},
        {"rule-0-kind": "created", "rule-0-operator": "in_last", "rule-0-days": "٣"},
        {"rule-0-kind": "list", "rule-0-operator": "on_any_of", "rule-0-lists": "999999999999999999"},
        {"rule-0-kind": "consent", "rule-0-purpose": "<b>", "rule-0-brand": "-1"},
        {"rule-99-99-99-kind": "name"},
        {"rule-0-match": "any"},
        {"rule-match": "none"},
        {f"rule-{number}-kind": "held" for number in range(99)},
    ],
)
def test_bad_input_is_never_a_server_error(marketer, values):
    for page in ("add", "preview"):
        assert marketer.post(url(page), {"name": "X", **values}).status_code == 200
    assert marketer.post(url("add"), {**values, "do": "add"}).status_code == 200
    assert not Segment.objects.exists()


def test_the_page_says_which_campaigns_use_it(marketer):
    segment = keeping.add(name="South", rule=rule(US), by=None)
    page = reverse("admin:campaigns_of_segment", args=[segment.pk])
    assert "No campaign uses it yet" in text(marketer.get(page))
    campaign = factories.campaign(name="Rodeo")
    campaign.include_segments.set([segment])
    assert "Rodeo" in text(marketer.get(page))
    refused = marketer.post(url("delete", segment.pk), {"post": "yes"})
    assert Segment.objects.exists(), refused.content


def test_who_may_only_look_cannot_save(client):
    segment = keeping.add(name="South", rule=rule(US), by=None)
    client.force_login(factories.staff("contacts.view_segment"))
    assert "fieldset disabled" in text(client.get(url("change", segment.pk)))
    assert client.post(url("change", segment.pk), {"name": "X", **TEXANS}).status_code == 403
    assert client.get(url("add")).status_code == 403
    client.force_login(factories.staff())
    for page in (url("change", segment.pk), url("changelist")):
        assert client.get(page).status_code == 403
    assert client.post(url("preview"), TEXANS).status_code == 403


def test_the_wizard_offers_segments_and_the_review_names_them(admin_client):
    segment = keeping.add(name="South", rule=rule(US), by=None)
    campaign = factories.campaign()
    step = reverse("admin:campaigns_campaign_step", args=[campaign.pk, "audience"])
    values = {"name": "X", "brand": campaign.brand_id, "sender": campaign.sender_id, "purpose": "marketing"}
    assert "Choose at least one list or segment" in text(admin_client.post(step, values))
    admin_client.post(step, {**values, "include_segments": [segment.pk]})
    assert list(campaign.include_segments.all()) == [segment]
    review = reverse("admin:campaigns_campaign_step", args=[campaign.pk, "review"])
    assert "Segment: South" in text(admin_client.get(review))
