"""A file of people as a shop would send it: unique valid numbers, seven in ten American, one in four handwritten.

The American ones are spread evenly over all area codes and exchanges, which is harder than life: nothing that is
remembered of one number helps with the next.
"""

import random
from collections.abc import Iterator
from pathlib import Path

import phonenumbers

_NAMES = (
    "Ana Petrov",
    "Bob Stone",
    "Chloé Martin",
    "Dinesh Rao",
    "Eva Lang",
    "Femi Ade",
    "Gus O'Hara",
    "Hana Sato",
)
_CITIES = ("Springfield", "Portland", "Leeds", "Perth", "Köln", "Lyon", "São Paulo", "Austin, TX")

# share in percent, country code, beginnings of its mobile numbers, digits that follow
_ABROAD = (
    (10, "44", ("7400", "7500", "7700", "7800", "7911", "7555"), 6),
    (10, "61", ("4"), 8),
    (2, "49", ("151", "160", "170", "175"), 8),
    (2, "33", ("6", "7"), 8),
    (2, "52", ("55", "81", "33"), 8),
    (2, "55", ("119", "219", "319"), 8),
    (2, "91", ("98", "99", "97"), 8),
)


def write(path: Path, *, rows: int, seed: int = 7) -> None:
    chance = random.Random(seed)
    sources = [_american(chance, rows)] + [_abroad(chance, code, starts, n) for _, code, starts, n in _ABROAD]
    weights = [70, *(share for share, *_ in _ABROAD)]
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write("phone,name,city\r\n")
        for which in chance.choices(range(len(sources)), weights, k=rows):
            number = next(sources[which])
            if chance.random() < 0.25:
                number = _handwritten(number)
            city = chance.choice(_CITIES)
            city = f'"{city}"' if "," in city else city
            file.write(f"{number},{chance.choice(_NAMES)},{city}\r\n")


def _american(chance: random.Random, rows: int) -> Iterator[str]:
    # An area code of which only some exchanges are in use would give numbers that are none.
    areas = [
        n for n in range(201, 990) if all(_is_in_the_states(f"+1{n}{exchange}5678") for exchange in (234, 604, 999))
    ]
    exchanges = [n for n in range(200, 1000) if n % 100 != 11 and n != 555]
    space = len(areas) * len(exchanges) * 10_000
    for place in chance.sample(range(space), rows):
        head, line = divmod(place, 10_000)
        area, exchange = divmod(head, len(exchanges))
        yield f"+1{areas[area]}{exchanges[exchange]}{line:04}"


def _abroad(chance: random.Random, code: str, starts: tuple[str, ...], digits: int) -> Iterator[str]:
    seen: set[str] = set()
    while True:
        number = f"+{code}{chance.choice(starts)}{chance.randrange(10**digits):0{digits}}"
        if number not in seen and _is_number(number):
            seen.add(number)
            yield number


def _is_number(e164: str) -> bool:
    return phonenumbers.is_valid_number(phonenumbers.parse(e164))


def _is_in_the_states(e164: str) -> bool:
    number = phonenumbers.parse(e164)  # not toll-free, not premium: those are nobody's
    is_a_person = phonenumbers.number_type(number) == phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE
    return is_a_person and phonenumbers.region_code_for_number(number) == "US"


def _handwritten(e164: str) -> str:
    if e164.startswith("+1"):
        return f"({e164[2:5]}) {e164[5:8]}-{e164[8:]}"
    return f"{e164[:3]} {e164[3:6]} {e164[6:]}"
