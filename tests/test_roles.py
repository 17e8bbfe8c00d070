"""Six groups in every installation, what each reaches, and that nothing a desk has changed is reset."""

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from contacts.models import Contact
from smsdesk import roles
from smsdesk.models import SeededRole
from tests import attacked_desk, factories

pytestmark = pytest.mark.django_db

M, P, A, T, I, U = "Marketer", "Approver", "Agent", "Team lead", "Integrator", "Auditor"  # noqa: E741
EVERYBODY_WITH_CONTACTS = {M, P, A, T, U}
# What opens with 200, and for whom; a page that is not named here opens for none of them.
LISTS = {
    "contacts.contact": EVERYBODY_WITH_CONTACTS,
    "contacts.contactlist": {M, P, T, U},
    "contacts.segment": {M, P, T, U},
    "contacts.tag": {M, P, A, T, U},
    "contacts.brand": {T, U},
    "contacts.contactimport": {M, T},
    "contacts.suppression": {T, U},
    "contacts.consentevent": {T, U},
    "contacts.quiethoursrule": {T, U},
    "contacts.closedday": {T, U},
    "contacts.frequencycap": {T, U},
    "campaigns.campaign": {M, P, T, U},
    "campaigns.outboundmessage": EVERYBODY_WITH_CONTACTS,
    "campaigns.sender": {M, I, U},
    "campaigns.gatewayaccount": {I, U},
    "campaigns.deliveryevent": {U},
    "inbound.inboundmessage": {T, U},
    "inbound.keyword": {M, T, U},
    "inbound.optinform": {M, T, U},
    "inbound.signup": {M, T, U},
    "smsdesk.apikey": {I, U},
}
ADDS = {
    "contacts.contact": {T},
    "contacts.contactlist": {M, T},
    "contacts.segment": {M},
    "contacts.tag": {M, T},
    "contacts.contactimport": {M, T},
    "contacts.closedday": {T},
    "contacts.frequencycap": {T},
    "campaigns.sender": {I},
    "campaigns.gatewayaccount": {I},
    "inbound.keyword": {M},
    "inbound.optinform": {M},
    "smsdesk.apikey": {I},
}


def member(role: str) -> Client:
    user = factories.staff()
    user.groups.add(Group.objects.get(name=role))
    client = Client()
    client.force_login(user)
    return client


def lists(kind: str) -> dict[str, str]:
    """app.model → address of the list, or of the page that adds a row."""
    found = {}
    for path in attacked_desk.changelists():
        app, model = path.strip("/").split("/")[1:]
        # The suppressions' own page of adding is asked about in their tests.
        if app in ("contacts", "campaigns", "inbound", "smsdesk"):
            found[f"{app}.{model}"] = f"{path}{kind}"
    return found


@pytest.mark.parametrize("role", roles.ROLES)
def test_each_role_reaches_exactly_its_lists(role):
    client = member(role)
    reached = {name for name, path in lists("").items() if client.get(path).status_code == 200}
    assert reached & set(LISTS) == {name for name, who in LISTS.items() if role in who}


@pytest.mark.parametrize("role", roles.ROLES)
def test_each_role_adds_exactly_its_rows(role):
    client = member(role)
    reached = {name for name, path in lists("add/").items() if client.get(path, follow=True).status_code == 200}
    assert reached & set(ADDS) == {name for name, who in ADDS.items() if role in who}


PERSON = {
    "change": EVERYBODY_WITH_CONTACTS,
    "timeline": EVERYBODY_WITH_CONTACTS,
    "edit": EVERYBODY_WITH_CONTACTS,  # to be looked at, but for those who may change
    "merge": {T},
    "erase": {T},
    "proof_pdf": {T},
    "export": {T},
}
ACTS = {
    "opt_out": {A, T},
    "opt_in": {T},
    "tags": {M, A, T},
    "notes": {A, T},
    "hold": {T},
}


@pytest.mark.parametrize("role", roles.ROLES)
def test_each_role_sees_and_does_exactly_its_part_on_the_page_of_a_contact(role):
    client, person = member(role), factories.contact("+12125550142")

    def at(name: str) -> str:
        return reverse(f"admin:contacts_contact_{name}", args=[person.pk])

    assert {name for name in PERSON if client.get(at(name)).status_code == 200} == {
        name for name, who in PERSON.items() if role in who
    }
    for name, who in ACTS.items():
        assert (client.post(at(name), {}).status_code != 403) == (role in who), name
    assert Contact.objects.filter(pk=person.pk).exists()


@pytest.mark.parametrize("role", roles.ROLES)
def test_each_role_reaches_exactly_its_conversations_and_log(role):
    client = member(role)
    assert (client.get(reverse("inbox")).status_code == 200) == (role in {A, T, U})
    assert (client.get(reverse("inbox_holds")).status_code == 200) == (role in {A, T})


def test_the_roles_name_permissions_that_exist():
    for name, permissions in roles.ROLES.items():
        assert Group.objects.get(name=name).permissions.count() == len(set(permissions)) == len(permissions), name


def test_no_role_but_the_approver_sends_and_none_both_writes_and_approves():
    for name, permissions in roles.ROLES.items():
        sends = {"campaigns.send_campaign", "campaigns.approve_campaign"} & set(permissions)
        assert bool(sends) == (name == "Approver")
        assert not (sends and "campaigns.change_campaign" in permissions)


# --- Seeding ----------------------------------------------------------------------------------------------


def test_what_a_desk_has_made_of_its_groups_is_not_reset():
    Group.objects.get(name="Agent").permissions.clear()
    Group.objects.get(name="Auditor").delete()
    Group.objects.filter(name="Integrator").update(name="Engineers")

    call_command("migrate", verbosity=0)

    assert Group.objects.get(name="Agent").permissions.count() == 0
    assert not Group.objects.filter(name__in=["Auditor", "Integrator"]).exists()


def test_only_what_is_new_in_a_version_is_added():
    agent = Group.objects.get(name="Agent")
    taken = Permission.objects.get(codename="opt_out_contact")
    new = Permission.objects.get(codename="add_contactnote")
    agent.permissions.remove(taken, new)
    seeded = SeededRole.objects.get(name="Agent")
    seeded.permissions.remove("contacts.add_contactnote")  # as if this version brought it
    seeded.save()

    roles.seed()

    assert new in agent.permissions.all()
    assert taken not in agent.permissions.all()


def test_the_supervisors_of_an_older_desk_become_team_leads_with_what_they_had():
    lead = Group.objects.get(name="Team lead")
    lead.name = "Supervisor"
    lead.save()
    lead.permissions.clear()
    user = factories.staff()
    user.groups.add(lead)
    SeededRole.objects.filter(name="Team lead").delete()

    roles.seed()

    assert [group.name for group in user.groups.all()] == ["Team lead"]
    assert lead.permissions.count() == 0


def test_seeding_twice_is_seeding_once():
    before = {group.name: group.permissions.count() for group in Group.objects.all()}
    roles.seed()
    assert {group.name: group.permissions.count() for group in Group.objects.all()} == before
