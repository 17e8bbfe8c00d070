import uuid
from datetime import timedelta

import pytest
from django.db import IntegrityError
from django.utils import timezone
from rest_framework.response import Response

from contacts.models import Contact
from smsdesk import expiry
from smsdesk.api import idempotency, problems
from smsdesk.models import IdempotentAnswer
from tests import factories

pytestmark = pytest.mark.django_db


class View:
    """As much of a view as an attempt asks for."""

    def handle_exception(self, error):
        return problems.answer(error, {"request": self})

    META: dict[str, str] = {}


def claimed() -> IdempotentAnswer:
    key, _ = factories.api_key()
    return IdempotentAnswer.objects.create(
        api_key=key, key="k", request_sha256="0" * 64, token=uuid.uuid4(), started_at=timezone.now()
    )


def test_an_attempt_that_was_taken_over_changes_nothing():
    row = claimed()
    IdempotentAnswer.objects.update(token=uuid.uuid4())  # another host thinks this attempt is dead

    def work():
        factories.contact()
        return Response({"done": True}, status=201)

    assert idempotency._attempt(row, View(), work).status_code == 409
    assert not Contact.objects.exists()
    assert IdempotentAnswer.objects.get().status is None


def test_an_attempt_that_breaks_leaves_nothing_behind():
    row = claimed()

    def work():
        factories.contact()
        raise IntegrityError

    with pytest.raises(IntegrityError):
        idempotency._attempt(row, View(), work)
    assert not Contact.objects.exists()
    assert not IdempotentAnswer.objects.exists()


def test_answers_are_dropped_after_a_day():
    old, new = claimed(), claimed()
    IdempotentAnswer.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(hours=25))
    assert expiry.drop_old_answers(now=timezone.now()) == 1
    assert IdempotentAnswer.objects.get() == new
