"""Which rows of lanes that were won are next: the most urgent first, campaigns of a sender in turn."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connection

from campaigns import allowances, lanes, sender_choice
from campaigns.models import Priority

MOST_CAMPAIGNS = 50  # whose rows are read for one batch


def campaigns(together: Sequence[lanes.Won], *, is_capped: bool) -> list[int]:
    """The campaigns whose rows are due first; a sender may have thousands that wait for the morning."""
    holes = ", ".join(["%s"] * len(together))
    owners = caps = ""
    if is_capped:
        owners = "JOIN campaigns_sender s ON s.id = l.sender_id JOIN contacts_brand b ON b.id = s.brand_id"
        caps = f"AND {allowances.is_open(now=lanes.clock())}"
    # What is asked for nothing costs planning in each batch.
    chosen = sender_choice.PAIRS if any(won.is_further for won in together) else sender_choice.PAIRS[:1]
    firsts = " UNION ALL ".join(
        f"SELECT c.id, (SELECT MIN(o.due_at) FROM campaigns_messageinmotion o WHERE o.lane_id = l.id "
        f"AND o.campaign_id = c.id AND o.state = 'queued' AND o.due_at <= {lanes.clock()}) AS first "
        f"FROM {pairs.source} JOIN campaigns_lane l ON l.sender_id = {pairs.sender} {owners} "
        f"WHERE l.id IN ({holes}) AND c.state = 'sending' {caps}"
        for pairs in chosen
    )
    statement = (
        f"SELECT id FROM ({firsts}) AS due WHERE first IS NOT NULL "
        f"GROUP BY id ORDER BY MIN(first), id LIMIT {MOST_CAMPAIGNS}"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [won.lane_id for won in together] * len(chosen))
        return [row[0] for row in cursor.fetchall()]


def ids(limits: Mapping[int, int], campaign_ids: Sequence[int], *, beside_urgent: int) -> list[int]:
    """Ids by lane and priority, so many of each lane; each branch is one short index scan.

    Campaigns take turns, row by row: a large one that began first does not keep a small one waiting. What goes
    before campaigns takes `beside_urgent` of their rows along, over all lanes: that batch shall be over soon. None
    at all would let a steady trickle of answers hold a campaign up for ever.
    """
    statement, parameters = (_of_one if len(limits) == 1 else _of_many)(limits, campaign_ids)
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        found = cursor.fetchall()
    chosen: list[int] = []
    taken: Counter[int] = Counter()
    urgent = 0
    for message_id, lane_id, priority in found:
        urgent += priority < Priority.CAMPAIGN
        if urgent and len(chosen) >= urgent + beside_urgent:
            break
        if taken[lane_id] < limits[lane_id]:
            taken[lane_id] += 1
            chosen.append(message_id)
    return chosen


_TURN = "ROW_NUMBER() OVER (PARTITION BY m.lane_id, m.campaign_id ORDER BY m.due_at, m.message_id)"
_IN_TURN = "ORDER BY priority, turn, due_at, id"


def _of_one(limits: Mapping[int, int], campaign_ids: Sequence[int]) -> tuple[str, list[Any]]:
    [(lane_id, limit)] = limits.items()
    base = (
        "SELECT message_id AS id, lane_id, priority, due_at, {turn} AS turn FROM campaigns_messageinmotion m "
        f"WHERE lane_id = %s AND state = 'queued' AND due_at <= {lanes.clock()} AND "
    )
    order = f" ORDER BY due_at, message_id LIMIT {limit}"
    single = f"{base.format(turn=0)} campaign_id IS NULL AND priority = %s {order}"
    of_campaign = f"{base.format(turn=_TURN)} campaign_id = %s {order}"
    branches = [f"SELECT * FROM ({single}) AS p{priority}" for priority in Priority.values]
    branches += [f"SELECT * FROM ({of_campaign}) AS c{pk}" for pk in campaign_ids]
    parameters = [value for key in (*Priority.values, *campaign_ids) for value in (lane_id, key)]
    inner = f"{' UNION ALL '.join(branches)} {_IN_TURN} LIMIT {limit}"
    return f"SELECT id, lane_id, priority FROM ({inner}) AS found {_IN_TURN}", parameters


def _of_many(limits: Mapping[int, int], campaign_ids: Sequence[int]) -> tuple[str, list[Any]]:
    """For slow lanes, which send a few rows at a time."""
    limit = max(limits.values())
    base = (
        "CROSS JOIN LATERAL (SELECT o.message_id, o.lane_id, o.campaign_id, o.priority, o.due_at "
        "FROM campaigns_messageinmotion o WHERE o.lane_id = l.id AND o.state = 'queued' "
        f"AND o.due_at <= {lanes.clock()} AND {{which}} ORDER BY o.due_at, o.message_id LIMIT {limit}) AS m"
    )
    single = base.format(which="o.campaign_id IS NULL AND o.priority = p.priority")
    of_campaign = base.format(which="o.campaign_id = c.id")
    of_campaigns = " UNION ALL ".join(
        f"SELECT m.message_id, m.lane_id, m.priority, m.due_at, {_TURN} AS turn FROM {pairs.source} "
        f"JOIN l ON l.sender_id = {pairs.sender} AND c.id = ANY (%s::bigint[]) {of_campaign}"
        for pairs in sender_choice.PAIRS
    )
    statement = f"""
        WITH l AS (SELECT id, sender_id FROM campaigns_lane WHERE id = ANY (%s::bigint[])), found AS (
            SELECT m.message_id AS id, m.lane_id, m.priority, m.due_at, 0 AS turn
            FROM l CROSS JOIN (SELECT unnest(%s::int[]) AS priority) AS p {single}
            UNION ALL {of_campaigns}
        ) SELECT id, lane_id, priority FROM found {_IN_TURN}"""
    return statement, [[*limits], [*Priority.values], *[[*campaign_ids]] * len(sender_choice.PAIRS)]
