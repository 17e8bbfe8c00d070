"""Counts whom rules of three and more conditions fit; prints seconds of each as JSON, the best of three."""

import json
import time

import django

django.setup()

from django.utils import timezone  # noqa: E402

from contacts.models import Brand, ContactList  # noqa: E402
from contacts.segments import rules  # noqa: E402
from tests.benchmarks.contacts import raw  # noqa: E402
from tests.benchmarks.gauge import peak_mb  # noqa: E402


def one(kind: str, operator: str, **values: object) -> dict[str, object]:
    return {"kind": kind, "operator": operator, **values}


def group(match: str, *conditions: object) -> dict[str, object]:
    return {"match": match, "conditions": list(conditions)}


def chosen() -> dict[str, dict[str, object]]:
    asked = {"purpose": "marketing", "brand": Brand.objects.get(slug="acme").pk}
    consent, none = one("consent", "has", **asked), one("consent", "has_not", **asked)
    optout, no_optout = one("opted_out", "is", **asked), one("opted_out", "is_not", **asked)
    half = one("list", "on_any_of", lists=[ContactList.objects.get(name="Half").pk])
    few = one("list", "on_any_of", lists=[ContactList.objects.get(name="Twentieth").pk])
    home = one("country", "is_any_of", values=["US"])
    quiet = one("last_contacted", "not_in_last", days=30)
    return {
        "all: country, consent, quiet for 30 days": group("all", home, consent, quiet),
        "all: list, consent, no opt-out": group("all", half, consent, no_optout),
        "all: consent, list, ignored for 60 days": group("all", consent, half, one("replied", "did_not", days=60)),
        "all: country, received in 30 days, no opt-out": group(
            "all", home, one("delivered", "did", days=30), no_optout
        ),
        "any: country, consent, list": group("any", home, consent, half),
        "any: consent, received in 30 days, held": group(
            "any", consent, one("delivered", "did", days=30), one("held", "is")
        ),
        "any: no consent, quiet for 30 days, list": group("any", none, quiet, few),
        "any: replied, opt-out, list": group("any", one("replied", "did"), optout, few),
        "all: country, any of consent and list, no opt-out": group(
            "all", home, group("any", consent, half), no_optout
        ),
    }


def main() -> None:
    now, found = timezone.now(), {}
    for name, rule in chosen().items():
        seconds = []
        for _ in range(3):
            begun = time.monotonic()
            count = rules.people(rule, at=now).count()
            seconds.append(time.monotonic() - begun)
        found[name] = {"fit": count, "seconds": round(min(seconds), 3)}
    scan = raw.best_seconds("SELECT count(*) FROM contacts_contact WHERE region <> 'ZZ'")
    slowest = max(one["seconds"] for one in found.values())
    print(json.dumps({**found, "peak_mb": peak_mb(), "raw": "one pass over contacts", "raw_seconds": round(scan, 3),
                      "slowest": slowest, "ratio": round(scan / slowest, 3)}))  # fmt: skip


if __name__ == "__main__":
    main()
