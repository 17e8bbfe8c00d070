"""Which column of an import means what, and what becomes of one record."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from contacts import birth_dates, fields
from contacts.reading import Record
from smsdesk import phones
from smsdesk.errors import DomainError, Invalid

IGNORED = ""
TARGETS = {
    "phone": "Phone",
    "name": "Name",
    "external_id": "External id",
    "language": "Language",
    "country": "Country of the number",
    "region": "US state of the address",
    "time_zone": "Time zone",
    "birth_date": "Birth date",
}
_GUESSES = {
    "phone": "phone mobile cell msisdn tel telephone number phonenumber mobilenumber mobilephone cellphone "
    "cellnumber telephonenumber contactnumber smsnumber handy handynummer telefon telefonnummer telefono movil "
    "portable gsm e164 whatsapp",
    "name": "name fullname contactname customer customername displayname nombre nom",
    "external_id": "externalid id customerid contactid memberid crmid userid extid clientid reference",
    "language": "language lang locale sprache idioma",
    "country": "country countrycode iso iso2 land pais pays",
    "region": "state usstate region province",
    "time_zone": "timezone tz zone",
    "birth_date": "birthdate birthday dateofbirth dob born geburtsdatum fechadenacimiento datedenaissance",
    "attributes.first_name": "firstname givenname forename vorname",
    "attributes.last_name": "lastname surname familyname nachname",
    "attributes.city": "city town ort ciudad ville",
    "attributes.email": "email emailaddress mail",
}
# What a spreadsheet writes where a formula failed: no name and no id.
_FAILED = "#N/A #REF! #VALUE! #NAME? #DIV/0! #NULL! #NUM! #CALC! #SPILL! #FIELD! #BLOCKED! #CONNECT! #UNKNOWN!"
_FAILED_FORMULAS = frozenset(_FAILED.split())
_TARGET_OF_WORD = {word: target for target, words in _GUESSES.items() for word in words.split()}


@dataclass(frozen=True, slots=True)
class Person:
    """One record that can be taken: the phone, and what else it says (empty cells are left out)."""

    line: int
    phone: phones.Phone
    fields: dict[str, str]
    attributes: dict[str, str]


@dataclass(frozen=True, slots=True)
class Problem:
    line: int
    column: str
    value: str
    reason: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """`person` is None when the record is refused; problems may stand beside a person, too."""

    person: Person | None
    problems: Sequence[Problem]


def guess(header: Sequence[str]) -> dict[str, str]:
    """Column → target by its name; each target once, everything unknown is ignored."""
    taken: set[str] = set()
    mapping = {}
    for name in header:
        target = _TARGET_OF_WORD.get(re.sub(r"[^a-z0-9]", "", name.lower()), IGNORED)
        mapping[name] = IGNORED if target in taken else target
        taken.add(target)
    return mapping


def check(mapping: Mapping[str, str], *, header: Sequence[str]) -> dict[str, str]:
    """The mapping as it is stored; raises `Invalid` when a target is unknown, missing or named twice."""
    for name in mapping:
        if name not in header:
            raise Invalid(
                "unknown_column",
                "The file has no column of this name.",
                field=name[:60],
                cure=f"It has: {', '.join(header)[:200]}.",
            )
    chosen = {name: mapping.get(name, IGNORED) for name in header}
    used = [target for target in chosen.values() if target]
    for name, target in chosen.items():
        if used.count(target) > 1:
            raise Invalid(
                "column_mapped_twice",
                f"More than one column is read as “{TARGETS.get(target, target)}”.",
                field=name,
                value=target,
                cure="Set all but one of them to “Ignored”.",
            )
        if target.startswith("attributes."):
            fields.attribute_name(target.removeprefix("attributes."))
        elif target and target not in TARGETS:
            raise Invalid(
                "unknown_target",
                "A column cannot be read as this.",
                field=name,
                value=target[:60],
                cure=f"Choose one of {', '.join(TARGETS)} or attributes.<name>.",
            )
    if "phone" not in used:
        raise Invalid(
            "phone_not_mapped",
            "No column is read as the phone number.",
            field="phone",
            cure="Choose the column that holds the numbers and read it as “Phone”.",
        )
    return chosen


class Reader:
    """Turns the records of one import into people; the mapping is worked out once, not per record."""

    def __init__(self, mapping: Mapping[str, str], *, header: Sequence[str], default_country: str) -> None:
        self._header = tuple(header)
        self._default_country = default_country
        places = {mapping.get(name, IGNORED): place for place, name in enumerate(header)}
        self._phone = places["phone"]
        self._country = places.get("country")
        self._fields = [(target, place) for target, place in places.items() if target in fields.EDITABLE]
        self._attributes = [
            (target.removeprefix("attributes."), place)
            for target, place in places.items()
            if target.startswith("attributes.")
        ]

    def read(self, record: Record) -> Outcome:
        refused = self._unreadable(record)
        if refused:
            return Outcome(None, [refused])
        cells = record.cells
        if len(cells) < len(self._header):
            cells = cells + [""] * (len(self._header) - len(cells))
        try:
            phone = phones.parse(_calculated("phone", cells[self._phone]), default_region=self._region_of(cells))
        except DomainError as error:
            place = self._country if error.field == "country" and self._country is not None else self._phone
            return Outcome(None, [self._problem(record, place, error)])
        problems: list[Problem] = []
        values = self._values(record, cells, problems)
        attributes = self._attribute_values(record, cells, problems)
        return Outcome(Person(record.line, phone, values, attributes), problems)

    def _region_of(self, cells: Sequence[str]) -> str:
        own = _calculated("country", cells[self._country]).strip() if self._country is not None else ""
        return fields.country(own) if own else self._default_country

    def _values(self, record: Record, cells: Sequence[str], problems: list[Problem]) -> dict[str, str]:
        values = {}
        for target, place in self._fields:
            if cells[place]:
                try:
                    values[target] = fields.clean(target, _written(target, cells[place]))
                except DomainError as error:
                    problems.append(self._left_out(record, place, error))
        return {target: value for target, value in values.items() if value}

    def _attribute_values(self, record: Record, cells: Sequence[str], problems: list[Problem]) -> dict[str, str]:
        values = {}
        for name, place in self._attributes:
            if cells[place]:
                try:
                    values[name] = fields.attribute(name, _calculated(name, cells[place]))
                except DomainError as error:
                    problems.append(self._left_out(record, place, error))
        return {name: value for name, value in values.items() if value}

    def _unreadable(self, record: Record) -> Problem | None:
        if record.fault:
            return Problem(record.line, "", record.cells[0][:200], record.fault)
        if record.is_dirty:
            return self._dirty_cell(record)
        if len(record.cells) > len(self._header) and any(record.cells[len(self._header) :]):
            extra = next(filter(None, record.cells[len(self._header) :]))
            return Problem(
                record.line,
                "",
                printable(extra),
                f"The row has {len(record.cells)} cells, the header {len(self._header)}. "
                "Put a cell that holds the delimiter into quotes.",
            )
        return None

    def _dirty_cell(self, record: Record) -> Problem:
        for place, cell in enumerate(record.cells):
            has_nul = "\0" in cell
            if has_nul or any("\ud800" <= c <= "\udfff" for c in cell):
                reason = (
                    "The cell holds a NUL character. Remove it."
                    if has_nul
                    else "The cell holds bytes that are no characters. Save the file again as “CSV UTF-8”."
                )
                return Problem(record.line, self._column(place), printable(cell), reason)
        return Problem(record.line, "", "", "The row holds bytes that are no characters. Type it anew.")

    def _problem(self, record: Record, place: int, error: DomainError) -> Problem:
        cell = record.cells[place] if place < len(record.cells) else ""
        reason = f"{error.message} {error.cure}".strip()
        return Problem(record.line, self._column(place), printable(cell), reason[:300])

    def _left_out(self, record: Record, place: int, error: DomainError) -> Problem:
        reason = f"Imported without this value. {error.message} {error.cure}".strip()
        return Problem(record.line, self._column(place), printable(record.cells[place]), reason[:300])

    def _column(self, place: int) -> str:
        return self._header[place] if place < len(self._header) else f"Column {place + 1}"


def _written(field: str, cell: str) -> str:
    """What the cell says, in the form the field's own rule reads."""
    cell = _calculated(field, cell)
    return birth_dates.iso(cell) if field == "birth_date" and cell.strip() else cell


def _calculated(field: str, cell: str) -> str:
    if cell[:1] == "#" and cell.strip().upper() in _FAILED_FORMULAS:
        raise Invalid(
            "failed_formula",
            "A spreadsheet's formula failed here, or was never calculated.",
            field=field,
            value=cell[:10],
            cure="Mend it, let the spreadsheet calculate and save the file again.",
        )
    return cell


def printable(value: str) -> str:
    """A cell as it can be stored and shown: at most 200 characters, nothing unprintable."""
    return "".join(c if c.isprintable() and not "\ud800" <= c <= "\udfff" else "�" for c in value[:200])
