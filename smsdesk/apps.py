from pathlib import Path

from django.apps import AppConfig, apps
from django.conf import settings
from django.contrib.admin import apps as admin_apps
from django.db.models.signals import post_migrate
from django.utils.module_loading import autodiscover_modules

from smsdesk import (
    checks,  # noqa: F401  importing it registers the system checks
    failpoints,
    roles,
)


class SmsdeskConfig(AppConfig):
    name = "smsdesk"
    verbose_name = "Desk"
    default = True

    def ready(self) -> None:
        if settings.FAILPOINTS and (settings.DEBUG or settings.CHAOS):
            journal = Path(settings.FAILPOINTS_JOURNAL) if settings.FAILPOINTS_JOURNAL else None
            failpoints.arm(settings.FAILPOINTS, journal=journal)
        # Told of one app after the other; at the last one, all of ours have their permissions.
        last = [one for one in apps.get_app_configs() if one.models_module][-1]
        post_migrate.connect(roles.seed, sender=last, dispatch_uid="roles")


class AdminConfig(admin_apps.AdminConfig):
    default_site = "smsdesk.admin.DeskSite"
    default = False

    def ready(self) -> None:
        super().ready()
        autodiscover_modules("admin_pages")  # of smsdesk: its `admin` holds the site itself
