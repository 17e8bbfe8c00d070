"""The groups a desk starts with, and what each may do. Changing a group in the admin is fine: nothing resets it."""

from django.contrib.auth.models import Group, Permission

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
        "contacts.view_contactlist", "contacts.view_segment",
    ),
    "Agent": (
        "contacts.view_contactnote", "contacts.add_contactnote",
        "inbound.view_conversation", "inbound.change_conversation", "inbound.reply_conversation",
        "inbound.review_hold",
        "contacts.view_contact", "contacts.opt_out_contact", "contacts.tag_contact", "contacts.view_tag",
        "campaigns.view_outboundmessage", "campaigns.view_message_body",
    ),
    "Supervisor": (
        "contacts.view_contactnote", "contacts.add_contactnote", "contacts.delete_contactnote",
        "inbound.view_conversation", "inbound.change_conversation", "inbound.reply_conversation",
        "inbound.assign_conversation", "inbound.review_hold", "inbound.view_inboundmessage", "inbound.view_keyword",
        "inbound.view_optinform", "inbound.view_signup",
        "contacts.view_contact", "contacts.add_contact", "contacts.change_contact", "contacts.opt_out_contact",
        "contacts.view_full_phone", "contacts.import_contact", "contacts.export_contact",
        "contacts.merge_contact",
        "contacts.disclose_contact", "contacts.erase_contact", "contacts.hold_contact",
        "contacts.view_contactimport", "contacts.view_suppression", "contacts.view_consentevent",
        "contacts.tag_contact", "contacts.view_tag", "contacts.add_tag", "contacts.change_tag",
        "contacts.delete_tag",
        "contacts.view_quiethoursrule", "contacts.change_quiethoursrule", "contacts.view_brand",
        "campaigns.view_campaign", "campaigns.pause_campaign", "campaigns.view_outboundmessage",
        "campaigns.view_message_body", "campaigns.settle_parked",
    ),
    "Integrator": (
        "campaigns.view_gatewayaccount", "campaigns.add_gatewayaccount", "campaigns.change_gatewayaccount",
        "campaigns.view_sender", "campaigns.add_sender", "campaigns.change_sender", "smsdesk.view_apikey",
        "smsdesk.add_apikey", "smsdesk.change_apikey",
    ),
    "Auditor": (
        "campaigns.view_campaign", "campaigns.view_outboundmessage", "campaigns.view_sender",
        "contacts.view_contact", "contacts.view_consentevent", "contacts.view_suppression", "contacts.view_tag",
        "inbound.view_conversation", "inbound.view_inboundmessage",
        "inbound.view_keyword", "inbound.view_optinform", "inbound.view_signup", "admin.view_logentry",
    ),
}  # fmt: skip


def ensure() -> dict[str, Group]:
    """The groups by name; those that are missing are made."""
    known = {f"{one.content_type.app_label}.{one.codename}": one for one in Permission.objects.select_related()}
    made: dict[str, Group] = {}
    for name, permissions in ROLES.items():
        made[name], is_new = Group.objects.get_or_create(name=name)
        if is_new:
            made[name].permissions.set([known[permission] for permission in permissions])
    return made
