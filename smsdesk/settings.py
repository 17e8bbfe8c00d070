"""Settings of smsdesk: flat, read from environment variables, checked at start (`smsdesk/checks.py`).

A secret NAME may also be given as a file, `NAME_FILE=/run/secrets/name`. The complete list with defaults
stands in `docs/settings.md`.
"""

import os
from pathlib import Path
from typing import Any

import django_stubs_ext
import environ

# Lets Django's generic classes be written with their types (`ModelAdmin[Contact]`) at run time too.
django_stubs_ext.monkeypatch()

env = environ.Env()

BASE_DIR = Path(__file__).resolve().parent.parent


def secret(name: str, default: str = "") -> str:
    """The value of environment variable `name`, or the stripped content of the file `<name>_FILE` names."""
    path = os.environ.get(f"{name}_FILE")
    if path:
        return Path(path).read_text(encoding="utf-8").strip()
    return os.environ.get(name, default)


DEBUG = env.bool("DEBUG", False)
# Demo: a seeded small world on a carrier simulator. The only mode in which generated secrets are accepted.
DEMO = env.bool("SMSDESK_DEMO", False)
DATA_DIR = Path(os.environ.get("SMSDESK_DATA") or BASE_DIR / "var").resolve()

SECRET_KEY = secret("SECRET_KEY")
# Former ones, separated by blanks: sessions and the links in texts go on working while the key is changed.
SECRET_KEY_FALLBACKS = secret("SECRET_KEY_FALLBACKS").split()
# Keys the hash of phone numbers; lives outside the database on purpose (`smsdesk/phones.py`).
PEPPER = secret("SMSDESK_PEPPER")
# Encrypts gateway credentials at rest (`smsdesk/sealing.py`).
CREDENTIAL_KEY = secret("SMSDESK_CREDENTIAL_KEY")

# Where people and providers reach us; webhook and short links are built from it, never from the Host header.
PUBLIC_URL = os.environ.get("PUBLIC_URL", "http://127.0.0.1:8000").rstrip("/")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[environ.urlparse(PUBLIC_URL).hostname or "127.0.0.1"])
# The handset page of the simulator, shown on the dashboard where one runs.
SIMULATOR_URL = os.environ.get("SIMULATOR_URL", "").rstrip("/")

INSTALLED_APPS = [
    "smsdesk",
    "contacts",
    "campaigns",
    "inbound",
    "smsdesk.apps.AdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "axes",
    "csp",
    "django_htmx",
    "django_filters",
    "django_q",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "rest_framework",
]

MIDDLEWARE = [
    "smsdesk.observability.RequestIdMiddleware",
    # Whoever probes knows neither our host name nor that http is redirected.
    "smsdesk.probes.ProbesMiddleware",
    # Outermost, so that what the others answer themselves carries the headers too.
    "csp.middleware.CSPMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "smsdesk.provider_hooks.ProviderHooksMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "smsdesk.observability.CleanInputMiddleware",
    "smsdesk.observability.NotStoredMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "smsdesk.observability.SmallBodyMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "smsdesk.urls"
WSGI_APPLICATION = "smsdesk.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# --- Database -----------------------------------------------------------------------------------------

SQLITE_SYNCHRONOUS = os.environ.get("SQLITE_SYNCHRONOUS", "NORMAL" if DEMO else "FULL")


def database(url: str) -> dict[str, Any]:
    """What `url` says, with our options below those it gives itself."""
    said: dict[str, Any] = environ.Env.db_url_config(url)
    given = said.get("OPTIONS", {})
    if said["ENGINE"].endswith("sqlite3"):
        # IMMEDIATE: a deferred transaction that reads and then writes fails at once under load, whatever the
        # timeout. FULL: a lost commit of `submitting` could send a message twice. The page cache is one for each
        # connection and a worker has six: with 4 MB its memory stays flat however large the campaign. What many
        # transactions change is then copied into the file once for several: every 64 MB, not every 4.
        ours = {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": (
                f"PRAGMA journal_mode=WAL;PRAGMA synchronous={SQLITE_SYNCHRONOUS};"
                "PRAGMA busy_timeout=20000;PRAGMA cache_size=-4000;PRAGMA temp_store=MEMORY;"
                "PRAGMA wal_autocheckpoint=16000;"
            ),
        }
        return {**said, "OPTIONS": {**ours, **given}}
    # A frozen worker gives its locks back before a STOP webhook's 8 s are over. Of two values the last one counts.
    # Compiling a statement takes 0.3 s and saves none that anybody waits for.
    times = "-c lock_timeout=2s -c statement_timeout=10s -c idle_in_transaction_session_timeout=5s"
    options = {**given, "options": f"{times} -c jit=off {given.get('options', '')}".strip()}
    return {**said, "OPTIONS": options, "CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}


DATABASES = {"default": database(secret("DATABASE_URL") or f"sqlite:///{DATA_DIR / 'smsdesk.sqlite3'}")}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# In the database: what one process counts (throttles, cluster state) all must see.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "smsdesk_cache",
        "KEY_PREFIX": "smsdesk",
    }
}

# --- Worker -------------------------------------------------------------------------------------------

WORKERS = env.int("SMSDESK_WORKERS", 2)
Q_CLUSTER = {
    "name": "smsdesk",
    "label": "Queue",
    "orm": "default",
    "workers": WORKERS,
    "timeout": 120,
    # The lease of a task counts from prefetch, so it must outlast every task that can stand before it.
    "retry": 900,
    "max_attempts": 3,
    "ack_failures": True,
    "bulk": 1,
    "queue_limit": WORKERS,
    "save_limit": -1,
    "catch_up": False,
    "poll": 0.5 if DEMO else 1,
    "guard_cycle": 0.5,
    "recycle": 50,
    "cache": "default",
}

# Times of the send protocol in seconds; their order is checked at start (smsdesk.E010). Tests may scale all
# of them together.
TIME_SCALE = env.float("SMSDESK_TIME_SCALE", 1.0)
# Places at which a test interrupts a process (`smsdesk/failpoints.py`); refused without CHAOS or DEBUG.
FAILPOINTS = os.environ.get("SMSDESK_FAILPOINTS", "")
FAILPOINTS_JOURNAL = os.environ.get("SMSDESK_FAILPOINTS_JOURNAL", "")
CHAOS = env.bool("SMSDESK_CHAOS", False)
SENDING_THREADS = env.int("SMSDESK_SENDING_THREADS", 4)
# A provider that reports more opt-outs than this within ten minutes, and more than this share of what it took, is
# paused until somebody has looked: it more likely has a fault than so many people had enough at once.
CARRIER_OPT_OUTS_MOST = env.int("SMSDESK_CARRIER_OPT_OUTS", 50)
CARRIER_OPT_OUTS_PERCENT = env.int("SMSDESK_CARRIER_OPT_OUT_PERCENT", 5)

# So many batches of an account in a row that met only silence and broken connections open its circuit.
CIRCUIT_AFTER = env.int("SMSDESK_CIRCUIT_AFTER", 3)
# A campaign whose text or sender is refused so many times in a row pauses itself; so does one of whose messages
# answered within five minutes, 100 at least, more than this share failed or got lost.
STRIKES_MOST = env.int("SMSDESK_STRIKES", 20)
ERROR_RATE_PERCENT = env.int("SMSDESK_ERROR_RATE_PERCENT", 30)

# Webhooks of gateways that repeat nothing are kept on disk while the database is away, so many megabytes at most.
SPOOL_MB = env.int("SMSDESK_SPOOL_MB", 200)
# Whoever asks for /metrics says it; without one only this machine may ask.
METRICS_TOKEN = secret("SMSDESK_METRICS_TOKEN")

# --- Records: how long what is kept, in days (`docs/retention.md`); 0: until somebody erases the person -------

RETENTION_DAYS = {
    # Consent's evidence, messages and the decisions on them: five years after the last message (16 CFR 310.5).
    "evidence": env.int("SMSDESK_KEEP_EVIDENCE_DAYS", 1_827),
    "messages": env.int("SMSDESK_KEEP_MESSAGES_DAYS", 1_827),
    # What people wrote, and what agents noted about it: 13 months.
    "inbound": env.int("SMSDESK_KEEP_INBOUND_DAYS", 396),
    # Receipts as the gateways sent them: they name phones and are needed for no proof.
    "receipts": env.int("SMSDESK_KEEP_RECEIPTS_DAYS", 396),
    # Reports of imported files, which quote cells.
    "imports": env.int("SMSDESK_KEEP_IMPORTS_DAYS", 90),
    # Number, address and browser of forms that were sent in; the proof of who joined is evidence.
    "sign_ups": env.int("SMSDESK_KEEP_SIGN_UPS_DAYS", 90),
}
# Where the daily head of the consent ledger goes (`manage.py anchor_ledger`): best on another machine.
LEDGER_ANCHOR_FILE = os.environ.get("LEDGER_ANCHOR_FILE") or str(DATA_DIR / "ledger-anchors.txt")
LEDGER_ANCHOR_MAIL = os.environ.get("LEDGER_ANCHOR_MAIL", "")
DEFAULT_FROM_EMAIL = os.environ.get("DEFAULT_FROM_EMAIL", "smsdesk@localhost")
if os.environ.get("EMAIL_URL"):
    vars().update(env.email("EMAIL_URL"))

# --- Sign-up forms: what keeps them from being turned against somebody (`docs/signing_up.md`) -------------------

SIGN_UP = {
    # Texts that sign-ups may cause to one phone, whatever form, brand and address they come from.
    "texts_a_day": env.int("SMSDESK_SIGN_UP_TEXTS_A_DAY", 1),
    "texts_in_30_days": env.int("SMSDESK_SIGN_UP_TEXTS_IN_30_DAYS", 3),
    # Forms sent in from one IPv4 address or IPv6 /64, and of one form from everywhere.
    "from_one_address_an_hour": env.int("SMSDESK_SIGN_UP_FROM_ONE_ADDRESS_AN_HOUR", 20),
    "of_one_form_an_hour": env.int("SMSDESK_SIGN_UP_OF_ONE_FORM_AN_HOUR", 600),
    # Nobody reads and fills in a form faster, in seconds; a page older than this, in hours, is shown again.
    "fastest": env.int("SMSDESK_SIGN_UP_FASTEST", 2),
    "page_hours": env.int("SMSDESK_SIGN_UP_PAGE_HOURS", 12),
    # Everybody waits so long for the answer: its time must not tell who is texted and who is suppressed.
    "answer_after_ms": env.int("SMSDESK_SIGN_UP_ANSWER_AFTER_MS", 300),
    # How long YES counts, and when the one reminder goes.
    "answer_hours": env.int("SMSDESK_SIGN_UP_ANSWER_HOURS", 72),
    "reminder_hours": env.int("SMSDESK_SIGN_UP_REMINDER_HOURS", 24),
}

# How long the link in a text opens its person's page: the way out must work for 60 days (CASL).
PREFERENCE_LINK_DAYS = env.int("SMSDESK_PREFERENCE_LINK_DAYS", 60)

# --- People and sessions ------------------------------------------------------------------------------

AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = 1
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_VERBOSE = False
LOGIN_URL = "admin:login"
SESSION_COOKIE_AGE = 12 * 3600
SESSION_COOKIE_HTTPONLY = True

# --- Web ----------------------------------------------------------------------------------------------

HTTPS = PUBLIC_URL.startswith("https://")
SECURE_SSL_REDIRECT = HTTPS and env.bool("SECURE_SSL_REDIRECT", True)
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", 31_536_000 if HTTPS else 0)
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SECURE = HTTPS
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]
BEHIND_PROXY = env.bool("BEHIND_PROXY", False)
if BEHIND_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_621_440
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2_000
FILE_UPLOAD_MAX_MEMORY_SIZE = 1_048_576

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
        "manifest-src": ["'self'"],
    }
}

STATIC_URL = "static/"
PLAIN_STATIC = DEBUG or DEMO or env.bool("SMSDESK_PLAIN_STATIC", False)
STATIC_ROOT = None if PLAIN_STATIC else BASE_DIR / "static-collected"
WHITENOISE_USE_FINDERS = PLAIN_STATIC
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": (
            "django.contrib.staticfiles.storage.StaticFilesStorage"
            if PLAIN_STATIC
            else "whitenoise.storage.CompressedManifestStaticFilesStorage"
        )
    },
}

# --- Language and time --------------------------------------------------------------------------------

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English")]
USE_I18N = True
USE_TZ = True
TIME_ZONE = os.environ.get("TIME_ZONE", "UTC")
USE_THOUSAND_SEPARATOR = True

# --- API ----------------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["smsdesk.api.keys.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["smsdesk.api.keys.HasScope"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["smsdesk.api.parsing.StrictJSONParser"],
    "DEFAULT_FILTER_BACKENDS": ["smsdesk.api.filters.StrictFilterBackend"],
    "DEFAULT_PAGINATION_CLASS": "smsdesk.api.paging.CursorPaging",
    "DEFAULT_SCHEMA_CLASS": "smsdesk.api.schema.Schema",
    "EXCEPTION_HANDLER": "smsdesk.api.problems.answer",
    "UNAUTHENTICATED_USER": None,
    "URL_FORMAT_OVERRIDE": None,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "smsdesk API",
    "DESCRIPTION": "Contacts and consent, campaigns, messages and conversations.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {"persistAuthorization": False, "displayOperationId": True, "validatorUrl": None},
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_NAME_OVERRIDES": {
        "Purpose": "contacts.models.Purpose",
        "SendablePurpose": "campaigns.api.messages.PURPOSES",
        "ConsentPurpose": "contacts.api.consents.PURPOSES",
        "ConsentEventKind": "contacts.models.EventKind",
        "RecordableKind": "contacts.api.consents.KINDS",
        "ConsentSource": "contacts.models.ConsentSource",
        "RecordableSource": "contacts.api.consents.SOURCES",
        "CampaignState": "campaigns.models.CampaignState",
        "ConversationState": "inbound.models.ConversationState",
        "MessageKind": "campaigns.models.MessageKind",
        "MessageState": "campaigns.models.OutboundState",
        "Scope": "smsdesk.models.Scope",
    },
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "PREPROCESSING_HOOKS": ["smsdesk.api.schema.only_this_version"],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "smsdesk.api.schema.complete",
    ],
}

# --- Logs: structured, never bodies or full numbers ----------------------------------------------------

LOG_LEVEL = os.environ.get("LOG_LEVEL", "INFO")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"structured": {"()": "smsdesk.observability.formatter"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "structured"}},
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    "loggers": {"django_q": {"handlers": ["console"], "level": LOG_LEVEL, "propagate": False}},
}

SENTRY_DSN = secret("SENTRY_DSN")
