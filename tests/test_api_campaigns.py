import pytest
from django.utils import timezone

from campaigns.models import Campaign
from contacts.models import ContactList, ListMembership
from smsdesk.models import Scope
from tests import factories

pytestmark = pytest.mark.django_db
URL = "/api/v1/campaigns/"


@pytest.fixture
def api():
    return factories.api()


@pytest.fixture
def sender():
    return factories.sender()


@pytest.fixture
def vip():
    made = ContactList.objects.create(name="VIP")
    ListMembership.objects.create(list=made, contact=factories.contact())
    return made


def draft(sender, vip, **over):
    return {
        "name": "Spring",
        "sender": sender.value,
        "body": f"{sender.brand.name}: hi {{{{ first_name | default: 'you' }}}}. Reply STOP to cancel.",
        "include": [vip.name],
        **over,
    }


def post(api, url, body=None, **headers):
    return api.post(url, body or {}, content_type="application/json", headers=headers)


def patch(api, url, body, **headers):
    return api.patch(url, body, content_type="application/json", headers=headers)


def test_a_campaign_is_drafted_launched_paused_resumed_and_cancelled(api, sender, vip):
    made = post(api, URL, draft(sender, vip))
    assert made.status_code == 201, made.json()
    assert (made.json()["state"], made.json()["brand"], made.json()["include"]) == (
        "draft",
        sender.brand.slug,
        ["VIP"],
    )
    url = f"{URL}{made.json()['id']}/"
    states = [post(api, f"{url}{verb}/").json()["state"] for verb in ("launch", "pause", "resume", "cancel")]
    assert states[0] == "scheduled"
    assert states[1] == "paused"
    assert states[2] in ("scheduled", "preparing")
    assert states[3] == "cancelled"


def test_a_wrong_state_is_409_with_the_state(api, sender, vip):
    url = f"{URL}{post(api, URL, draft(sender, vip)).json()['id']}/"
    answer = post(api, f"{url}pause/")
    assert answer.status_code == 409
    assert answer.json()["code"] == "wrong_state"
    post(api, f"{url}launch/")
    frozen = patch(api, url, {"name": "Other"})
    assert frozen.status_code == 409
    assert Campaign.objects.get().name == "Spring"


def test_an_incomplete_draft_says_what_is_missing(api):
    url = f"{URL}{post(api, URL, {'name': 'Spring'}).json()['id']}/"
    answer = post(api, f"{url}launch/")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == "/brand"


def test_a_draft_that_was_changed_meanwhile_is_412(api, sender, vip):
    made = post(api, URL, draft(sender, vip))
    url = f"{URL}{made.json()['id']}/"
    changed = patch(api, url, {"name": "Summer"}, **{"If-Match": made["ETag"]})
    assert changed.status_code == 200
    assert changed["ETag"] != made["ETag"]
    refused = patch(api, url, {"name": "Autumn"}, **{"If-Match": made["ETag"]})
    assert refused.status_code == 412
    assert refused.json()["code"] == "changed_meanwhile"
    assert Campaign.objects.get().name == "Summer"
    assert api.get(url)["ETag"] == changed["ETag"]


def test_a_patch_keeps_what_it_does_not_name(api, sender, vip):
    url = f"{URL}{post(api, URL, draft(sender, vip)).json()['id']}/"
    answer = patch(api, url, {"exclude": ["VIP"], "send_at": "2030-01-01T10:00:00+02:00"}).json()
    assert answer["include"] == answer["exclude"] == ["VIP"]
    assert answer["send_at"] == "2030-01-01T08:00:00Z"
    assert answer["sender"] == sender.value


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"name": ""}, "/name"),
        ({"name": None}, "/name"),
        ({"body": "Hi {{ first_name"}, "/body"),
        ({"body": "{% for x in y %}"}, "/body"),
        ({"body": "x" * 1601}, "/body"),
        ({"include": ["Nobody"]}, "/include"),
        ({"include": [1]}, "/include/0"),
        ({"include": "VIP"}, "/include"),
        ({"sender": "X"}, "/sender"),
        ({"brand": "X"}, "/brand"),
        ({"purpose": "compliance"}, "/purpose"),
        ({"state": "sending"}, "/state"),
        ({"audience_size": 5}, "/audience_size"),
        ({"created_by": 1}, "/created_by"),
        ({"send_at": "now"}, "/send_at"),
    ],
)
def test_a_bad_field_is_named(api, sender, vip, change, pointer):
    answer = post(api, URL, {**draft(sender, vip), **change})
    assert answer.status_code == 400, answer.json()
    assert pointer in [fault["pointer"] for fault in answer.json()["errors"]]
    assert not Campaign.objects.exists()


def test_launching_twice_under_one_key_replays_and_without_is_409(api, sender, vip):
    url = f"{URL}{post(api, URL, draft(sender, vip)).json()['id']}/launch/"
    first = post(api, url, **{"Idempotency-Key": "k"})
    again = post(api, url, **{"Idempotency-Key": "k"})
    assert first.content == again.content
    assert post(api, url).status_code == 409


def test_a_test_key_cannot_launch_to_a_provider(sender, vip):
    api = factories.api(factories.api_key(is_test=True)[1])
    url = f"{URL}{post(api, URL, draft(sender, vip)).json()['id']}/"
    sender.account.is_simulator = False
    sender.account.save()
    answer = post(api, f"{url}launch/")
    assert (answer.status_code, answer.json()["code"]) == (403, "no_simulator")
    assert Campaign.objects.get().state == "draft"


def test_writing_does_not_imply_launching(sender, vip):
    api = factories.api(factories.api_key(scopes=[Scope.CAMPAIGNS_READ, Scope.CAMPAIGNS_WRITE])[1])
    url = f"{URL}{post(api, URL, draft(sender, vip)).json()['id']}/"
    assert post(api, f"{url}launch/").json()["code"] == "missing_scope"


def test_a_list_takes_the_same_queries_for_few_and_many(api, sender, vip, django_assert_max_num_queries):
    for _ in range(6):
        post(api, URL, draft(sender, vip))
    with django_assert_max_num_queries(8):  # key, last use, allowance, campaigns, two of lists, two of segments
        assert len(api.get(URL).json()["data"]) == 6
    later = timezone.now().strftime("%Y-%m-%dT%H:%M:%SZ").replace("2026", "2036")
    assert api.get(URL, {"updated_after": later}).json()["data"] == []
    assert len(api.get(URL, {"state": "draft"}).json()["data"]) == 6


def test_a_text_carriers_refuse_is_not_launched(api, sender, vip):
    url = f"{URL}{post(api, URL, draft(sender, vip, body='Big sale today')).json()['id']}/launch/"
    answer = post(api, url)
    assert answer.status_code == 422
    assert answer.json()["code"] == "CONTENT_NO_BRAND"
    assert answer.json()["errors"][0]["pointer"] == "/body"
    assert Campaign.objects.get().state == "draft"


def test_a_text_that_names_an_unknown_field_is_not_saved(api, sender, vip):
    answer = post(api, URL, {**draft(sender, vip), "body": "Hi {{ shoe_size }}. Reply STOP to opt out"})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == "/body"
    assert not Campaign.objects.exists()
