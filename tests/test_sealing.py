"""Credentials can be read only with the key and for the row they were stored with."""

import base64
import os

import pytest
from django.core.exceptions import ImproperlyConfigured
from hypothesis import given
from hypothesis import strategies as st

from smsdesk import sealing
from smsdesk.errors import DomainError

VALUE = {"api_key": "s3cret", "note": "ключ 🔑"}


def assert_unreadable(sealed, bound_to="gwa_1"):
    with pytest.raises(DomainError) as caught:
        sealing.unseal(sealed, bound_to=bound_to)
    assert caught.value.code == "credentials_unreadable"
    assert caught.value.cure
    assert caught.value.value == ""


def test_what_is_sealed_comes_back():
    assert sealing.unseal(sealing.seal(VALUE, bound_to="gwa_1"), bound_to="gwa_1") == VALUE


@given(st.dictionaries(st.text(), st.text()), st.text(max_size=40))
def test_any_credentials_come_back(value, bound_to):
    assert sealing.unseal(sealing.seal(value, bound_to=bound_to), bound_to=bound_to) == value


def test_the_secret_does_not_show_and_no_two_seals_are_alike():
    first, second = (sealing.seal(VALUE, bound_to="gwa_1") for _ in range(2))
    assert first != second
    assert b"s3cret" not in base64.urlsafe_b64decode(first[2:])


def test_credentials_moved_to_another_row_are_unreadable():
    assert_unreadable(sealing.seal(VALUE, bound_to="gwa_1"), bound_to="gwa_2")


def test_another_key_reads_nothing(settings):
    sealed = sealing.seal(VALUE, bound_to="gwa_1")
    settings.CREDENTIAL_KEY = base64.b64encode(os.urandom(32)).decode()
    assert_unreadable(sealed)


@pytest.mark.parametrize("position", [2, 10, 30, -3])
def test_one_changed_character_is_noticed(position):
    sealed = list(sealing.seal(VALUE, bound_to="gwa_1"))
    sealed[position] = "A" if sealed[position] != "A" else "B"
    assert_unreadable("".join(sealed))


@pytest.mark.parametrize("sealed", ["", "1.", "1.AAAA", "1.%%%", "2.AAAA", "é", "\ud800", "1.\x00", "plain"])
def test_rubbish_is_unreadable(sealed):
    assert_unreadable(sealed)


@pytest.mark.parametrize("key", ["", "short", "AAAA", base64.b64encode(b"x" * 31).decode(), "é" * 44])
def test_without_a_right_key_nothing_is_sealed(settings, key):
    settings.CREDENTIAL_KEY = key
    with pytest.raises(ImproperlyConfigured, match="SMSDESK_CREDENTIAL_KEY"):
        sealing.seal(VALUE, bound_to="gwa_1")


def test_a_key_may_use_either_base64_alphabet():
    key = bytes([0xFB, 0xFF] * 16)
    assert sealing.read_key(base64.b64encode(key).decode()) == key
    assert sealing.read_key(base64.urlsafe_b64encode(key).decode()) == key
