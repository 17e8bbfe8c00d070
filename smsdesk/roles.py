"""The groups every desk starts with, and what each may do (reference: roles and permissions).

They are seeded after each `migrate`. What a desk has made of them stays: a group that was changed, renamed or
deleted is not reset. Only a permission that is new with this version, which nobody can have taken away, is added.
"""

from typing import Any

from django.apps import apps
from django.db import connections, transaction

ROLES: dict[str, tuple[str, ...]] = {
    "Marketer": (
        "campaigns.view_campaign", "campaigns.add_campaign", "campaigns.change_campaign",
        "campaigns.delete_campaign", "campaigns.pause_campaign", "campaigns.view_outboundmessage",
        "campaigns.view_sender", "contacts.view_contact", "contacts.view_contactlist", "contacts.add_contactlist",
        "contacts.change_contactlist", "contacts.view_segment", "contacts.add_segment", "contacts.change_segment",
        "contacts.delete_segment", "contacts.import_contact", "contacts.view_contactimport",
        "contacts.tag_contact", "contacts.view_tag", "contacts.add_tag", "contacts.change_tag",
        "inbound.view_keyword", "inbound.add_keyword", "inbound.change_keyword",
        "inbound.view_optinform", "inbound.add_optinform", "inbound.change_optinform", "inbound.view_signup",
    ),
    "Approver": (
        "campaigns.view_campaign", "campaigns.approve_campaign", "campaigns.send_campaign",
        "campaigns.pause_campaign", "campaigns.view_outboundmessage", "contacts.view_contact",
        "contacts.view_contactlist", "contacts.view_segment", "contacts.view_tag",
    ),
    "Agent": (
        "inbound.view_conversation", "inbound.change_conversation", "inbound.reply_conversation",
        "inbound.review_hold", "contacts.view_contact", "contacts.opt_out_contact", "contacts.tag_contact",
        "contacts.view_tag", "contacts.view_contactnote", "contacts.add_contactnote",
        "campaigns.view_outboundmessage", "campaigns.view_message_body",
    ),
    "Team lead": (
        "inbound.view_conversation", "inbound.change_conversation", "inbound.reply_conversation",
        "inbound.assign_conversation", "inbound.review_hold", "inbound.view_inboundmessage", "inbound.view_keyword",
        "contacts.view_contact", "contacts.add_contact", "contacts.change_contact", "contacts.opt_out_contact",
        "contacts.view_full_phone", "contacts.import_contact", "contacts.export_contact", "contacts.merge_contact",
        "contacts.disclose_contact", "contacts.erase_contact", "contacts.hold_contact",
        "contacts.view_contactimport", "contacts.view_suppression", "contacts.add_suppression",
        "contacts.view_consentevent", "contacts.view_contactlist", "contacts.add_contactlist",
        "contacts.change_contactlist", "contacts.view_segment", "contacts.tag_contact", "contacts.view_tag",
        "contacts.add_tag", "contacts.change_tag", "contacts.delete_tag", "contacts.view_contactnote",
        "contacts.add_contactnote", "contacts.delete_contactnote", "contacts.view_quiethoursrule",
        "contacts.change_quiethoursrule", "contacts.view_closedday", "contacts.add_closedday",
        "contacts.change_closedday", "contacts.delete_closedday", "contacts.view_frequencycap",
        "contacts.add_frequencycap", "contacts.change_frequencycap", "contacts.view_brand",
        "campaigns.view_campaign", "campaigns.pause_campaign", "campaigns.view_outboundmessage",
        "campaigns.view_message_body", "campaigns.settle_parked", "campaigns.release_desk",
        "inbound.view_optinform", "inbound.view_signup", "smsdesk.view_heartbeat",
        "admin.view_logentry",
    ),
    "Integrator": (
        "campaigns.view_gatewayaccount", "campaigns.add_gatewayaccount", "campaigns.change_gatewayaccount",
        "campaigns.view_sender", "campaigns.add_sender", "campaigns.change_sender", "smsdesk.view_apikey",
        "smsdesk.add_apikey", "smsdesk.change_apikey", "smsdesk.view_heartbeat",
    ),
    "Auditor": (
        "campaigns.view_campaign", "campaigns.view_outboundmessage", "campaigns.view_sender",
        "campaigns.view_gatewayaccount", "campaigns.view_deliveryevent", "contacts.view_contact",
        "contacts.view_consentevent", "contacts.view_suppression", "contacts.view_tag", "contacts.view_contactlist",
        "contacts.view_segment", "contacts.view_quiethoursrule", "contacts.view_closedday",
        "contacts.view_frequencycap", "contacts.view_brand", "inbound.view_conversation",
        "inbound.view_inboundmessage", "inbound.view_keyword", "inbound.view_optinform", "inbound.view_signup",
        "smsdesk.view_apikey", "admin.view_logentry", "smsdesk.view_heartbeat",
    ),
}  # fmt: skip
FORMER_NAMES = {"Team lead": "Supervisor"}


def seed(*, using: str = "default", **_: Any) -> None:
    """Make the groups nobody has made yet; give the others what is new. Called after each `migrate`."""
    groups, seeds = apps.get_model("auth", "Group"), apps.get_model("smsdesk", "SeededRole")
    if seeds._meta.db_table not in connections[using].introspection.table_names():
        return  # only a part of the migrations was run
    known = _known_permissions(using=using)
    with transaction.atomic(using=using):
        for name, wanted in ROLES.items():
            offered = [known[permission] for permission in wanted if permission in known]
            seeded = seeds.objects.using(using).filter(name=name).first()
            group = _group(groups.objects.using(using), name)
            if seeded is None and group is None:
                group = groups.objects.using(using).create(name=name)
                group.permissions.set(offered)
            elif seeded is not None and group is not None:
                group.permissions.add(
                    *(known[one] for one in wanted if one in known and one not in seeded.permissions)
                )
            seeds.objects.using(using).update_or_create(name=name, defaults={"permissions": sorted(wanted)})


def _group(groups: Any, name: str) -> Any:
    """The group as it is called today; one that still has its former name gets the new one."""
    found = groups.filter(name=name).first()
    former = groups.filter(name=FORMER_NAMES.get(name, "")).first() if found is None else None
    if former is not None:
        former.name = name
        former.save(update_fields=["name"])
    return found or former


def _known_permissions(*, using: str) -> dict[str, Any]:
    rows = apps.get_model("auth", "Permission").objects.using(using).select_related("content_type")
    return {f"{one.content_type.app_label}.{one.codename}": one for one in rows}
