"""How much may leave: parts a day of a sender and of a brand, and parts in all of a campaign. Never one more.

Parts are counted inside the submit that lets them leave, on one row per sender, brand or campaign that has such an
end (`PartsCount`), locked after contacts and ledger rows, so any number of lanes and hosts share it exactly. What
the gateway surely did not take is given back; what may have left stays counted. Where nothing is capped no
statement is made.

A reached cap writes nothing to the rows of campaigns, however many wait: their lanes leave them alone until the
day turns, the cap is raised or parts are given back (`is_open`). Other messages wait until the day turns, each by
itself, and answers to STOP, START and HELP always go, and count.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple, Protocol

from django.db import connection
from django.db.models import Q
from django.utils import timezone

from campaigns import sender_choice, states
from campaigns.models import Campaign, PartsCount, Sender
from contacts.models import Purpose
from smsdesk import bulk_sql, local_days


class Row(Protocol):
    """A ledger row on its way out, as `campaigns.batch.Row` is."""

    id: int
    purpose: str
    campaign_id: int | None
    sender_id: int
    parts: int
    counted: tuple[int, ...]


class _Key(NamedTuple):
    """A row of `PartsCount`."""

    scope: str  # sender, brand or campaign
    owner_id: int
    day: date | None


@dataclass(frozen=True, slots=True)
class Limit:
    """An end that a message must keep to."""

    key: _Key
    who: str
    most: int
    zone: str = ""
    until: datetime | None = None  # None: it does not end by itself


@dataclass(frozen=True, slots=True)
class Held:
    """A row that does not fit any more, and into what."""

    row: Row
    limit: Limit

    @property
    def record(self) -> dict[str, Any]:
        """The decision to write down, as the judge's are."""
        assert self.limit.until is not None
        until = self.limit.until.isoformat()
        return {"outcome": "deferred", "code": "DAILY_CAP", "until": until, **detail(self.limit)}


@dataclass(frozen=True, slots=True)
class Taken:
    """Which rows may leave, which have to wait, and the campaigns whose budget is used up."""

    going: frozenset[int]
    held: tuple[Held, ...] = ()
    spent: frozenset[int] = frozenset()


def is_open(*, now: str) -> str:
    """SQL that campaigns of a sender (alias s) of a brand (alias b) need not wait for tomorrow; `now`: SQL."""
    yesterday = "CURRENT_DATE - 1" if connection.vendor == "postgresql" else "DATE('now', '-1 day')"
    open_ = [
        f"({own}.daily_cap IS NULL OR NOT EXISTS (SELECT 1 FROM campaigns_partscount d "
        f"WHERE d.{scope}_id = {own}.id AND d.day >= {yesterday} AND d.until > {now} "
        f"AND d.used + d.asked > {own}.daily_cap))"
        for scope, own in (("sender", "s"), ("brand", "b"))
    ]
    return " AND ".join(open_)


def limits_of(sender: Sender, *, campaign: Campaign | None, at: datetime) -> list[Limit]:
    """What a message of this sender and campaign must keep to at this moment."""
    brand = sender.brand
    found = []
    for scope, pk, who, cap, zone in (
        ("sender", sender.pk, sender.value, sender.daily_cap, sender.day_zone),
        ("brand", brand.pk, brand.name, brand.daily_cap, brand.day_zone),
    ):
        if cap is not None:
            day, until = local_days.at(at, zone=zone or "UTC")
            found.append(Limit(_Key(scope, pk, day), who, cap, zone or "UTC", until))
    if campaign is not None and campaign.budget is not None:
        found.append(Limit(_Key("campaign", campaign.pk, None), campaign.name, campaign.budget))
    return found


def take(
    rows: Sequence[Row], *, senders: Mapping[int, Sender], campaigns: Mapping[int, Campaign], at: datetime
) -> Taken:
    """Count what may leave of `rows`, the most urgent first; the caller holds their contacts' locks.

    The first row of a campaign that does not fit is the last that is tried: nobody jumps the queue for being short.
    """
    shared: dict[tuple[int, int | None], list[Limit]] = {}
    for row in rows:
        if (row.sender_id, row.campaign_id) not in shared:
            campaign = campaigns.get(row.campaign_id) if row.campaign_id else None
            limits = limits_of(senders[row.sender_id], campaign=campaign, at=at)
            shared[row.sender_id, row.campaign_id] = limits
    every = {limit.key: limit for limits in shared.values() for limit in limits}
    if not every:
        return Taken(frozenset(row.id for row in rows))
    states.lock_rows(row.id for row in rows)
    counts = _locked(every.values())
    used = {key: count.used for key, count in counts.items()}
    asked: dict[_Key, int] = dict.fromkeys(every, 1)
    closed: set[_Key] = set()  # to campaigns
    going, held = [], []
    for row in rows:
        own = shared[row.sender_id, row.campaign_id]
        full = [
            limit
            for limit in own
            if used[limit.key] + row.parts > limit.most or (row.campaign_id and limit.key in closed)
        ]
        if full and row.purpose != Purpose.COMPLIANCE:
            held.append(Held(row, full[0]))
            if row.campaign_id:
                for limit in full:
                    if limit.key not in closed:
                        closed.add(limit.key)
                        asked[limit.key] = row.parts
            continue
        for limit in own:
            used[limit.key] += row.parts
        row.counted = tuple(counts[limit.key].pk for limit in own)
        going.append(row.id)
    _write(counts, used=used, asked=asked, limits=every)
    spent = frozenset(key.owner_id for key in closed if key.scope == "campaign")
    return Taken(frozenset(going), tuple(held), spent)


def give_back(rows: Iterable[Row]) -> None:
    """These were counted and surely did not leave. In the transaction that says so, after their rows."""
    parts: Counter[int] = Counter()
    for row in rows:
        parts.update(dict.fromkeys(row.counted, row.parts))
    if not parts:
        return
    list(PartsCount.objects.select_for_update(no_key=True).filter(pk__in=parts).order_by("pk").values_list("pk"))
    bulk_sql.update_rows(
        PartsCount, columns=(), carried=("used",), rows=sorted(parts.items()), also="used = o.used - x.used"
    )


# --- Said to people -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Standing:
    """So much of a limit is used."""

    limit: Limit
    used: int
    asked: int

    @property
    def is_reached(self) -> bool:
        """By campaigns, which stop at the first message that does not fit."""
        return not self.has_room(self.asked)

    def has_room(self, parts: int) -> bool:
        return self.used + parts <= self.limit.most


def standings(sender: Sender, *, campaign: Campaign | None = None, at: datetime) -> list[Standing]:
    """How far the sender, its brand and the campaign are at this moment; empty where nothing ends."""
    limits = limits_of(sender, campaign=campaign, at=at)
    if not limits:
        return []
    counts = {_key(count): count for count in PartsCount.objects.filter(_any_of(limit.key for limit in limits))}
    none = PartsCount()
    return [
        Standing(limit, counts.get(limit.key, none).used, counts.get(limit.key, none).asked) for limit in limits
    ]


def sentence(standing: Standing) -> str:
    """How far a day's cap is used, and what waits where it is reached."""
    limit = standing.limit
    said = f"{limit.who} has sent {standing.used:,} of {limit.most:,} parts today ({limit.zone})."
    if not standing.is_reached or limit.until is None:
        return said
    until = timezone.localtime(limit.until).strftime("%Y-%m-%d %H:%M %Z")
    return f"{said} The daily cap is reached: campaigns wait until {until}."


def waits_for_tomorrow(campaign: Campaign, *, at: datetime) -> str:
    """Why nothing of this campaign, or of some of its senders, leaves today, although nobody paused it; "" if all
    may."""
    senders = sender_choice.senders(campaign)
    reached: dict[_Key, Standing] = {}
    going = 0
    for sender in senders:
        own = [one for one in standings(sender, at=at) if one.is_reached]
        going += not own
        reached |= {one.limit.key: one for one in own}
    said = " ".join(f"Waits for tomorrow: {sentence(one)}" for one in reached.values())
    return f"{said} Its other senders go on." if said and going else said


def detail(limit: Limit) -> dict[str, Any]:
    """For the sentence of DAILY_CAP."""
    return {"capped": limit.who, "most": f"{limit.most:,}", "zone": limit.zone}


# --- The rows -----------------------------------------------------------------------------------------


def _key(count: PartsCount) -> _Key:
    owners = {"sender": count.sender_id, "brand": count.brand_id, "campaign": count.campaign_id}
    [(scope, owner_id)] = [(scope, owner) for scope, owner in owners.items() if owner is not None]
    return _Key(scope, owner_id, count.day)


def _any_of(keys: Iterable[_Key]) -> Q:
    owners: defaultdict[tuple[str, date | None], list[int]] = defaultdict(list)
    for key in keys:
        owners[key.scope, key.day].append(key.owner_id)
    found = Q(pk=None)
    for (scope, day), ids in owners.items():
        found |= Q(**{f"{scope}__in": ids, "day": day})
    return found


def _locked(limits: Iterable[Limit]) -> dict[_Key, PartsCount]:
    """Their rows, made where they are missing, locked in the order of their ids."""
    wanted = {limit.key: limit for limit in limits}
    rows = PartsCount.objects.select_for_update(no_key=True).filter(_any_of(wanted)).order_by("pk")
    found = {_key(count): count for count in rows}
    missing = [limit for key, limit in sorted(wanted.items(), key=str) if key not in found]
    if not missing:
        return found
    PartsCount.objects.bulk_create(
        [
            PartsCount(day=limit.key.day, until=limit.until, **{f"{limit.key.scope}_id": limit.key.owner_id})
            for limit in missing
        ],
        ignore_conflicts=True,
    )
    return {_key(count): count for count in rows.all()}


def _write(
    counts: Mapping[_Key, PartsCount],
    *,
    used: Mapping[_Key, int],
    asked: Mapping[_Key, int],
    limits: Mapping[_Key, Limit],
) -> None:
    bulk_sql.update_rows(
        PartsCount,
        columns=("used", "asked", "until"),
        rows=sorted((count.pk, used[key], asked[key], limits[key].until) for key, count in counts.items()),
    )
