"""Pages of the campaign wizard, inside the admin. The draft row is the wizard's state: Back and deep links work."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.contrib.auth.models import User
from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST

from campaigns import (
    audience,
    audience_form,
    drafting,
    forms,
    further_senders,
    lifecycle,
    lint,
    preview,
    rendering,
    sender_choice,
    waterfall,
)
from campaigns.models import Campaign, CampaignState
from contacts import people
from smsdesk import clock, sms_text
from smsdesk.errors import DomainError, WrongState

STEPS: dict[str, tuple[str, type["ModelForm[Campaign]"] | None]] = {
    "audience": ("Audience", audience_form.AudienceForm),
    "message": ("Message", forms.MessageForm),
    "schedule": ("Schedule", forms.ScheduleForm),
    "review": ("Review", None),
}
PICKS = (("previous", "Previous"), ("next", "Next"), ("random", "Somebody"), ("longest", "Longest"))
# What one request spends on the waterfall; the next poll goes on where it stopped.
SECONDS_AT_ONCE = 1.5
TALLY_KEPT = 600  # seconds

MAY_SEE = ("campaigns.view_campaign", "campaigns.change_campaign")
# verb: (permission, what the log says)
VERBS = {
    "launch": ("campaigns.send_campaign", "Launched."),
    "approve": ("campaigns.approve_campaign", "Approved."),
    "pause": ("campaigns.pause_campaign", "Paused."),
    "resume": ("campaigns.pause_campaign", "Resumed."),
    "cancel": ("campaigns.pause_campaign", "Cancelled."),
    "duplicate": ("campaigns.add_campaign", "Duplicated."),
}


def new(request: HttpRequest) -> HttpResponse:
    """A name, and the draft exists."""
    require(request, "campaigns.add_campaign")
    form = forms.NewForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        campaign = drafting.new(name=sms_text.clean(form.cleaned_data["name"]), by=operator(request))
        record(request, campaign, "Draft begun.", flag=ADDITION)
        return redirect("admin:campaigns_campaign_step", campaign.pk, "audience")
    return render(request, "campaigns/new.html", page(request, title="New campaign", form=form))


def step(request: HttpRequest, pk: int, slug: str) -> HttpResponse:
    """One step of the wizard; Next saves it. A campaign that is no draft any more leads to its report."""
    require(request, "campaigns.change_campaign")
    campaign = campaign_or_404(pk)
    if campaign.state != CampaignState.DRAFT:
        messages.info(request, "This campaign is no draft any more: text and audience are frozen.")
        return redirect("admin:campaigns_campaign_report", pk)
    if slug not in STEPS:
        return redirect("admin:campaigns_campaign_step", pk, "audience")
    form_class = STEPS[slug][1]
    if form_class is None:
        return _review(request, campaign)
    form = form_class(request.POST or None, instance=campaign)
    if request.method == "POST" and form.is_valid():
        return _save_step(request, campaign, form, slug)
    if request.headers.get("HX-Request"):
        return render(request, "campaigns/_not_saved.html", {"form": form})
    # A refused form leaves the typed values on the instance; the page shows the stored draft beside them.
    context = step_context(request, campaign_or_404(pk), slug, form=form)
    return render(request, f"campaigns/step_{slug}.html", context)


def _save_step(request: HttpRequest, campaign: Campaign, form: "ModelForm[Campaign]", slug: str) -> HttpResponse:
    lists: dict[str, Any] = {
        name: form.cleaned_data[name]
        for name in (*audience.INCLUDED, *audience.EXCLUDED)
        if name in form.cleaned_data
    }
    columns = {field.name for field in Campaign._meta.concrete_fields}
    values = {name: value for name, value in form.cleaned_data.items() if name in columns}
    try:
        further = form.cleaned_data.get(further_senders.FIELD)
        drafting.save(campaign, values=values, lists=lists, further=further, now=timezone.now())
    except DomainError as error:
        messages.error(request, error.sentence())
        return redirect("admin:campaigns_campaign_report", campaign.pk)
    if form.changed_data:
        record(request, campaign, f"Changed {', '.join(form.changed_data)}.")
    if request.headers.get("HX-Request"):  # a choice changed: count again
        return preview_waterfall(request, campaign.pk)
    order = list(STEPS)
    follows = order[order.index(slug) + 1]
    return redirect("admin:campaigns_campaign_step", campaign.pk, slug if "stay" in request.POST else follows)


def _review(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    now = timezone.now()
    problems = lifecycle.problems(campaign, now=now)
    findings = _findings(campaign, body=campaign.body)
    context = step_context(request, campaign, "review", form=None)
    context |= {
        "problems": [(error, STEP_OF.get(error.field, "audience")) for error in problems],
        "warnings": [finding for finding in findings if not finding.is_blocking],
        "shown": _shown(campaign, body=campaign.body, pick="first", contact_id=None),
        "may_launch": not problems and request.user.has_perm("campaigns.send_campaign"),
        "reaches": sender_choice.reaches(campaign),
        "include": _chosen(campaign, audience.INCLUDED),
        "exclude": _chosen(campaign, audience.EXCLUDED),
    }
    return render(request, "campaigns/step_review.html", context)


def _chosen(campaign: Campaign, names: tuple[str, str]) -> list[tuple[str, Any]]:
    lists, segments = (getattr(campaign, name).all() for name in names)
    return [*(("List", one) for one in lists), *(("Segment", one) for one in segments)]


# Where a problem is put right.
STEP_OF = {
    "body": "message",
    "send_at": "schedule",
    "latest_start": "schedule",
    "send_by": "schedule",
    "brand": "audience",
    "sender": "audience",
    "further_senders": "audience",
    "include": "audience",
    "rule": "audience",
    "purpose": "audience",
}


def preview_text(request: HttpRequest, pk: int) -> HttpResponse:
    """Fragment: the phone, the counter, the findings. POST shows a text that is not saved; nothing is changed."""
    # A text of one's own could ask for any attribute of the people in the audience.
    require(request, *(("campaigns.change_campaign",) if request.method == "POST" else MAY_SEE))
    campaign = campaign_or_404(pk)
    asked = request.POST if request.method == "POST" else request.GET
    body = sms_text.clean(asked.get("body", campaign.body))[: 2 * rendering.LONGEST_BODY]
    pick = asked.get("pick", "this")
    contact = asked.get("contact", "")
    shown = _shown(
        campaign,
        body=body,
        pick=pick if pick in preview.PICKS else "this",
        contact_id=int(contact) if contact.isascii() and contact.isdigit() and len(contact) < 18 else None,
    )
    context = {"campaign": campaign, "shown": shown, "findings": _findings(campaign, body=body)}
    context |= {"picks": PICKS, "is_editing": True}
    return render(request, "campaigns/_phone.html", context)


def preview_waterfall(request: HttpRequest, pk: int) -> HttpResponse:
    """Fragment: the waterfall; while a large audience is being counted it asks again by itself."""
    require(request, *MAY_SEE)
    campaign = campaign_or_404(pk)
    tally = _tally(campaign) if waterfall.is_countable(campaign) and audience.is_chosen(campaign) else None
    context = {"campaign": campaign, "tally": tally, "rows": waterfall.rows(tally) if tally else []}
    if tally:
        context |= _lengths(tally) | {"waits": waterfall.waits(tally)}
    return render(request, "campaigns/_waterfall.html", context)


def _tally(campaign: Campaign) -> waterfall.Tally:
    """As far as it can be counted in this request; a large one is kept until its draft changes."""
    now = timezone.now()
    key = f"tally-{waterfall.key(campaign)}"
    kept = cache.get(key)
    tally = waterfall.Tally(**kept) if kept else waterfall.begin(campaign, now=now)
    waterfall.advance(tally, campaign, now=now, seconds=SECONDS_AT_ONCE)
    if tally.audience > waterfall.AT_ONCE:
        cache.set(key, tally.as_json(), TALLY_KEPT)
    return tally


def _lengths(tally: waterfall.Tally) -> dict[str, Any]:
    total = sum(tally.parts.values())
    several = sum(count for parts, count in tally.parts.items() if int(parts) > 1)
    parts = sum(int(parts) * count for parts, count in tally.parts.items())
    return {"reached": total, "several_parts": several, "parts": parts}


def _shown(campaign: Campaign, *, body: str, pick: str, contact_id: int | None) -> dict[str, Any]:
    """The preview, or the reason why there is none."""
    if not body.strip():
        return {"empty": True}
    try:
        drafting.check_fields(body)
        return {"preview": preview.of(campaign, body=body, pick=pick, contact_id=contact_id, now=timezone.now())}
    except DomainError as error:
        return {"problem": forms.sentence(error)}


def _findings(campaign: Campaign, *, body: str) -> list[lint.Finding]:
    try:
        return lint.check(campaign, body=body)
    except DomainError:  # it does not compile, which is said elsewhere
        return []


@require_POST
def do(request: HttpRequest, pk: int, verb: str) -> HttpResponse:
    """One verb on one campaign; what the rules refuse becomes a message."""
    campaign = get_object_or_404(Campaign.objects.select_related("brand", "sender"), pk=pk)
    if verb not in VERBS:
        messages.error(request, "There is no such button.")
        return redirect("admin:campaigns_campaign_change", pk)
    permission, said = VERBS[verb]
    require(request, permission)
    try:
        result = _act(request, campaign, verb)
    except DomainError as error:
        messages.error(request, _refusal(campaign, verb, error))
        return redirect("admin:campaigns_campaign_change", pk)
    record(request, result, said, flag=ADDITION if verb == "duplicate" else CHANGE)
    messages.success(request, f"{result}: {said.lower()}")
    return redirect("admin:campaigns_campaign_change", result.pk)


def _refusal(campaign: Campaign, verb: str, error: DomainError) -> str:
    """The double press is not a fault to put right, so it is not told like one."""
    campaign.refresh_from_db()
    if verb == "launch" and isinstance(error, WrongState) and campaign.state != CampaignState.AWAITING_APPROVAL:
        return f"Already launched: it is {campaign.get_state_display().lower()}. Nothing was done twice."
    return error.sentence()


def _act(request: HttpRequest, campaign: Campaign, verb: str) -> Campaign:
    now = clock.database_now()  # what begins by the database's clock is launched by it
    if verb == "duplicate":
        return drafting.duplicate(campaign, by=operator(request))
    if verb == "launch":
        return lifecycle.launch(campaign, by=operator(request), now=now)
    if verb == "approve":
        return lifecycle.approve(campaign, by=operator(request), now=now)
    if verb == "pause":
        return lifecycle.pause(campaign, by=operator(request), now=now, reason=f"Paused by {request.user}.")
    if verb == "resume":
        return lifecycle.resume(campaign, by=operator(request), now=now)
    return lifecycle.cancel(campaign, by=operator(request), now=now)


def campaign_or_404(pk: int) -> Campaign:
    campaigns = Campaign.objects.select_related("brand", "sender__account", "sender__brand", "created_by")
    return get_object_or_404(campaigns.prefetch_related(sender_choice.rows()), pk=pk)


def step_context(
    request: HttpRequest, campaign: Campaign, slug: str, *, form: "ModelForm[Campaign] | None"
) -> dict[str, Any]:
    order = list(STEPS)
    place = order.index(slug)
    steps = [
        {"slug": name, "label": label, "is_here": name == slug, "is_done": number < place}
        for number, (name, (label, _)) in enumerate(STEPS.items())
    ]
    own: dict[str, Any] = {
        "campaign": campaign,
        "form": form,
        "steps": steps,
        "step": slug,
        "previous_step": order[place - 1] if place else "",
        "zone": timezone.get_current_timezone_name(),
    }
    if slug == "message":
        own |= {"fields": rendering.FIELDS, "attributes": people.attributes_in_use(), "optout": lint.OPTOUT_LINE}
        own["findings"] = _findings(campaign, body=campaign.body)
    return page(request, title=campaign.name, **own)


def page(request: HttpRequest, **own: object) -> dict[str, Any]:
    """What every page inside the admin needs, and its own."""
    return {**admin.site.each_context(request), "opts": Campaign._meta, **own}


def record(request: HttpRequest, campaign: Campaign, message: str, *, flag: int = CHANGE) -> None:
    """An entry in the audit log."""
    LogEntry.objects.log_actions(
        user_id=operator(request).pk,
        queryset=Campaign.objects.filter(pk=campaign.pk),
        action_flag=flag,
        change_message=message,
        single_object=True,
    )


def operator(request: HttpRequest) -> User:
    """Who is logged in; the admin lets nobody else come this far."""
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user


def require(request: HttpRequest, *permissions: str) -> None:
    """One of them is enough."""
    if not any(request.user.has_perm(permission) for permission in permissions):
        raise PermissionDenied
