import pytest

from contacts.models import Segment
from smsdesk.models import Scope
from tests import factories

pytestmark = pytest.mark.django_db
URL = "/api/v1/segments/"
TEXANS = {"match": "all", "conditions": [{"kind": "region", "operator": "is_any_of", "values": ["TX"]}]}


@pytest.fixture
def api():
    return factories.api()


def post(api, body, url=URL, **headers):
    return api.post(url, body, content_type="application/json", headers=headers)


def patch(api, url, body):
    return api.patch(url, body, content_type="application/json")


def test_a_segment_is_added_read_changed_counted_and_listed(api):
    factories.contact(region="TX")
    factories.contact(region="NY")
    made = post(api, {"name": "Texans", "rule": TEXANS})
    assert made.status_code == 201, made.json()
    url = f"{URL}{made.json()['id']}/"
    assert api.get(url).json()["rule"] == TEXANS
    estimate = api.get(f"{url}estimate/").json()
    assert (estimate["count"], estimate["of"]) == (1, 2)
    assert patch(api, url, {"description": "All of Texas"}).json()["rule"] == TEXANS
    assert [one["name"] for one in api.get(URL).json()["data"]] == ["Texans"]


def test_rows_are_named_as_the_api_names_them(api):
    brand, campaign = factories.brand(), factories.campaign()
    factories.contact_list(name="VIP")
    conditions = [
        {"kind": "list", "operator": "on_none_of", "lists": ["VIP"]},
        {"kind": "consent", "operator": "has", "purpose": "marketing", "brand": brand.slug},
        {"kind": "replied", "operator": "did", "campaign": campaign.ref, "days": 7},
    ]
    made = post(api, {"name": "X", "rule": {"match": "any", "conditions": conditions}})
    assert made.status_code == 201, made.json()
    assert made.json()["rule"]["conditions"] == conditions


@pytest.mark.parametrize(
    ("condition", "pointer"),
    [
        ({"kind": "list", "operator": "on_any_of", "lists": ["Nobody"]}, "/rule/conditions/0/lists/0"),
        ({"kind": "list", "operator": "on_any_of", "lists": [1]}, "/rule/conditions/0/lists/0"),
        ({"kind": "list", "operator": "on_any_of", "lists": 1}, "/rule/conditions/0/lists"),
        ({"kind": "sent", "operator": "did", "campaign": 1}, "/rule/conditions/0/campaign"),
        ({"kind": "sent", "operator": "did", "campaign": f"cmp_{'0' * 32}"}, "/rule/conditions/0/campaign"),
        (
            {"kind": "consent", "operator": "has", "purpose": "marketing", "brand": "x\x00"},
            "/rule/conditions/0/brand",
        ),
        ({"kind": "nonsense", "operator": "is"}, "/rule/conditions/0/kind"),
        ({"kind": ["country"], "operator": "is"}, "/rule/conditions/0/kind"),
    ],
)
def test_a_wrong_condition_is_named_by_its_place(api, condition, pointer):
    answer = post(api, {"name": "X", "rule": {"match": "all", "conditions": [condition]}})
    assert answer.status_code == 400, answer.json()
    assert [fault["pointer"] for fault in answer.json()["errors"]] in ([pointer], [])
    assert not Segment.objects.exists()


def test_a_name_that_is_taken_is_a_conflict(api):
    post(api, {"name": "Texans", "rule": TEXANS})
    assert post(api, {"name": "Texans", "rule": TEXANS}).status_code == 409


def test_a_key_that_may_only_read_cannot_write():
    api = factories.api(factories.api_key(scopes=[Scope.CONTACTS_READ])[1])
    assert post(api, {"name": "Texans", "rule": TEXANS}).json()["code"] == "missing_scope"
    assert api.get(URL).status_code == 200


def test_a_campaign_is_drafted_to_segments(api):
    ref = post(api, {"name": "Texans", "rule": TEXANS}).json()["id"]
    sender = factories.sender()
    draft = {"name": "Spring", "sender": sender.value, "include_segments": [ref]}
    made = post(api, draft, "/api/v1/campaigns/")
    assert made.json()["include_segments"] == [ref], made.json()
    url = f"/api/v1/campaigns/{made.json()['id']}/"
    assert patch(api, url, {"exclude_segments": [ref]}).json()["exclude_segments"] == [ref]
    for wrong in ("seg_1", f"seg_{'0' * 32}", "cmp_x"):
        answer = patch(api, url, {"include_segments": [wrong]})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/include_segments")
