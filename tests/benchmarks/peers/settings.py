"""A small Django project, as a team has one before it has a desk: one table, Celery, django-post-office."""

import os

import environ

env = environ.Env()

SECRET_KEY = "not a secret: this project lives for one benchmark"
USE_TZ = True
TIME_ZONE = "UTC"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = ["tests.benchmarks.peers", "post_office"]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]

_database = env.db("DATABASE_URL")
if _database["ENGINE"].endswith("sqlite3"):
    _database["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL",
    }
DATABASES = {"default": {**_database, "CONN_MAX_AGE": None}}

EMAIL_BACKEND = "post_office.EmailBackend"
POST_OFFICE = {
    "BACKENDS": {"default": "tests.benchmarks.peers.post_office_backend.CarrierBackend"},
    "BATCH_SIZE": int(os.environ.get("PEERS_POST_OFFICE_BATCH", "100")),
    "THREADS_PER_PROCESS": int(os.environ.get("PEERS_POST_OFFICE_THREADS", "5")),
}
LOGGING = {"version": 1, "disable_existing_loggers": False, "root": {"level": "WARNING"}}
