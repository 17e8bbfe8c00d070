"""Birth dates in files: read where they can mean one day only, and never a way around a minimum age."""

from datetime import date

import pytest

from contacts import birth_dates
from contacts.models import Contact
from smsdesk.errors import Invalid
from tests import factories
from tests.test_importing import counts, done, reasons
from tests.test_workbooks import workbook


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("1990-05-17", "1990-05-17"),
        (" 1990-5-7 ", "1990-05-07"),
        ("1990/05/17", "1990-05-17"),
        ("1990-05-17 00:00:00", "1990-05-17"),
        ("1990-05-17T00:00", "1990-05-17"),
        ("17.05.1990", "1990-05-17"),
        ("04.05.1990", "1990-05-04"),
        ("17/05/1990", "1990-05-17"),
        ("05/17/1990", "1990-05-17"),
        ("17-05-1990", "1990-05-17"),
        ("05/05/1990", "1990-05-05"),
        ("29.02.2000", "2000-02-29"),
    ],
)
def test_a_date_that_means_one_day_is_read(text, day):
    assert birth_dates.iso(text) == day


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("04/05/1990", "may be 1990-04-05 or 1990-05-04"),
        ("5-4-1990", "may be 1990-04-05 or 1990-05-04"),
        *[
            (text, "not a date")
            for text in (
                "30.02.1990", "1990-02-30", "05.17.1990", "17/05/90", "1990", "19900517", "33010", "05/1990",
                "1990-05/17", "17 May 1990", "1990-05-17 13:00", "٠١.٠٢.١٩٩٠", "0000-00-00", "x" * 10_000, "-",
            )
        ],
    ],
)  # fmt: skip
def test_any_other_is_refused_with_its_reason(text, reason):
    with pytest.raises(Invalid, match=reason) as refused:
        birth_dates.iso(text)
    assert refused.value.cure


@pytest.mark.django_db
def test_birth_dates_are_imported_and_every_unreadable_or_impossible_one_is_reported():
    made = done(
        "phone,Date of birth\n+12125550101,1990-05-17\n+12125550102,04/05/1990\n+12125550103,2190-01-01\n"
        "+12125550104,31.12.1899\n+12125550105,\n"
    )
    assert counts(made) == (5, 0, 0, 0, 0)
    assert list(Contact.objects.order_by("phone").values_list("birth_date", flat=True)) == [
        date(1990, 5, 17), None, None, None, None,
    ]  # fmt: skip
    told = reasons(made)
    assert [(line, column) for line, column, _ in told] == [
        (3, "Date of birth"),
        (4, "Date of birth"),
        (5, "Date of birth"),
    ]
    assert "may be 1990-04-05 or 1990-05-04" in told[0][2]
    assert all("Imported without this value" in reason for *_, reason in told)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("known", "given", "kept"),
    [
        (None, "1990-05-17", date(1990, 5, 17)),
        (date(2010, 1, 1), "1990-05-17", date(2010, 1, 1)),
        (date(1990, 5, 17), "2010-01-01", date(2010, 1, 1)),
        (date(1990, 5, 17), "", date(1990, 5, 17)),
    ],
)
def test_a_file_makes_nobody_older(known, given, kept):
    person = factories.contact(birth_date=known)
    done(f"phone,birth date\n{person.phone},{given}\n")
    person.refresh_from_db()
    assert person.birth_date == kept


@pytest.mark.django_db
def test_a_date_of_a_workbook_is_read():
    done(workbook(["phone", "DOB"], ["+12125550101", date(1990, 5, 4)]))
    assert Contact.objects.get().birth_date == date(1990, 5, 4)
