from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps

from smsdesk import checks  # noqa: F401  importing it registers the system checks


class SmsdeskConfig(AppConfig):
    name = "smsdesk"
    verbose_name = "Desk"
    default = True


class AdminConfig(admin_apps.AdminConfig):
    default_site = "smsdesk.admin.DeskSite"
    default = False
