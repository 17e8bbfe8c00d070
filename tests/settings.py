"""The product's settings under test: generated secrets, no collected static files, SQLite unless told."""

import atexit
import os
import shutil
import tempfile

os.environ.setdefault("SECRET_KEY", "test-secret-key-that-is-long-enough-for-the-system-checks-0123456789")
os.environ.setdefault("SMSDESK_PEPPER", "test-pepper-0123456789abcdef0123456789abcdef")
os.environ.setdefault("SMSDESK_CREDENTIAL_KEY", "dGVzdC1jcmVkZW50aWFsLWtleS0wMTIzNDU2Nzg5YWI=")
os.environ.setdefault("SMSDESK_PLAIN_STATIC", "1")
os.environ.setdefault("SQLITE_SYNCHRONOUS", "NORMAL")
os.environ.setdefault("LOG_LEVEL", "WARNING")
if "SMSDESK_DATA" not in os.environ:  # a place of its own for what the desk writes beside the database
    os.environ["SMSDESK_DATA"] = tempfile.mkdtemp(prefix="smsdesk-tests-")
    atexit.register(shutil.rmtree, os.environ["SMSDESK_DATA"], ignore_errors=True)
os.environ.setdefault("SMSDESK_SIGN_UP_ANSWER_AFTER_MS", "0")  # one test waits

from smsdesk.settings import *  # noqa: F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
AXES_ENABLED = False
WHITENOISE_AUTOREFRESH = True  # static files are found when asked for, not collected
# Allows what only tests may do: SQLite that may lose its last commits at a power failure (smsdesk.E007).
TESTING = True
