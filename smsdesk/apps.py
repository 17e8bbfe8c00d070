from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps
from django.utils.module_loading import autodiscover_modules

from smsdesk import checks  # noqa: F401  importing it registers the system checks


class SmsdeskConfig(AppConfig):
    name = "smsdesk"
    verbose_name = "Desk"
    default = True


class AdminConfig(admin_apps.AdminConfig):
    default_site = "smsdesk.admin.DeskSite"
    default = False

    def ready(self) -> None:
        super().ready()
        autodiscover_modules("admin_pages")  # of smsdesk: its `admin` holds the site itself
