"""The house stands on its floors: imports point down, nothing hangs on wiring, nothing dodges a circle."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FLOORS = ("smsdesk", "contacts", "campaigns", "inbound")  # from the ground up
WIRING = (
    "smsdesk.settings",
    "smsdesk.urls",
    "smsdesk.wsgi",
    "smsdesk.asgi",
    "smsdesk.api.router",
    "smsdesk.provider_hooks",
    "smsdesk.probes",
)
DRAWERS = {"utils", "util", "helpers", "helper", "common", "services", "service", "managers", "manager", "misc"}
PHONE_MODULES = ("smsdesk.phones", "smsdesk.numbering", "smsdesk.area_codes")
WITHOUT_MODELS = ("smsdesk.gateways", "smsdesk.simulator")


def is_within(module: str, packages: tuple[str, ...]) -> bool:
    return any(module == package or module.startswith(package + ".") for package in packages)


def is_wiring(module: str) -> bool:
    return is_within(module, WIRING) or ".management." in module


def imports(source: str, *, module: str, is_package: bool = False):
    """(line, imported name, whether it stands at the top) of every import; `from a import b` gives `a.b`."""
    tree = ast.parse(source)
    inside = {
        inner
        for outer in ast.walk(tree)
        if isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef)
        for inner in ast.walk(outer)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield node.lineno, name.name, node not in inside
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = module.split(".")
                parent = parts[: len(parts) - node.level + is_package]
                base = ".".join([*parent, *filter(None, [base])])
            for name in node.names:
                yield node.lineno, f"{base}.{name.name}", node not in inside
        elif isinstance(node, ast.Call) and called(node) in ("import_module", "__import__", "import_string"):
            yield from ((node.lineno, name, False) for name in literals(node))


def literals(node: ast.Call) -> list[str]:
    return [one.value for one in node.args[:1] if isinstance(one, ast.Constant) and isinstance(one.value, str)]


def called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def faults(source: str, *, module: str, is_package: bool = False) -> list[str]:
    """What is wrong with the imports and the name of one module."""
    found = []
    drawers = DRAWERS & set(module.split("."))
    if drawers:
        found.append(f"{module}: a module is named by its subject, not {drawers.pop()!r}")
    floor = module.split(".")[0]
    for line, name, at_top in imports(source, module=module, is_package=is_package):
        target = name.split(".")[0]
        if target == "phonenumbers" and module not in PHONE_MODULES:
            found.append(f"{module}:{line}: only smsdesk.phones and what it is made of know phonenumbers")
        if target not in FLOORS:
            if name.startswith("django.db") and is_within(module, WITHOUT_MODELS):
                found.append(f"{module}:{line}: {name}: gateways and simulator know no database")
            continue
        if not at_top:
            found.append(f"{module}:{line}: {name} is imported inside a function or class")
        if is_within(module, WITHOUT_MODELS) and ".models" in name:
            found.append(f"{module}:{line}: {name}: gateways and simulator know no model")
        if is_wiring(module):
            continue
        if FLOORS.index(target) > FLOORS.index(floor):
            found.append(f"{module}:{line}: {name} lies above {floor}")
        if is_wiring(name):
            found.append(f"{module}:{line}: {name} is wiring")
    return found


def modules():
    for floor in FLOORS:
        for path in sorted((ROOT / floor).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            is_package = parts[-1] == "__init__"
            if "migrations" not in parts:
                yield path, ".".join(parts[:-1] if is_package else parts), is_package


def test_every_module_keeps_the_rules():
    found = [
        fault
        for path, module, is_package in modules()
        for fault in faults(path.read_text(encoding="utf-8"), module=module, is_package=is_package)
    ]
    assert found == []


def test_the_walk_sees_the_whole_house():
    seen = {module for _, module, _ in modules()}
    assert {
        "smsdesk.phones",
        "contacts.models.contact",
        "campaigns.models",
        "inbound.models",
        "smsdesk.urls",
    } <= seen


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("contacts.consent", "from campaigns import sending"),
        ("contacts.consent", "import inbound.receiving"),
        ("smsdesk.phones", "from contacts.models import Contact"),
        ("campaigns.sending", "from inbound.models import Conversation"),
        ("contacts.consent", "try:\n    import campaigns\nexcept ImportError:\n    pass"),
        (
            "contacts.consent",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from campaigns import sending",
        ),
        ("contacts.consent", "from importlib import import_module\nsending = import_module('campaigns.sending')"),
        ("contacts.consent", "from django.utils.module_loading import import_string\nimport_string('inbound.x')"),
    ],
)
def test_an_import_that_points_up_is_found(module, source):
    assert any("lies above" in fault for fault in faults(source, module=module))


@pytest.mark.parametrize(
    "source",
    [
        "def late():\n    from contacts import consent",
        "async def late():\n    import smsdesk.phones",
        "class A:\n    from contacts import consent",
        "def late():\n    def later():\n        from campaigns import sending",
        "def late():\n    from . import sending",
        "def late():\n    return __import__('contacts.consent')",
    ],
)
def test_a_late_import_of_our_own_code_is_found(source):
    assert any("inside a function" in fault for fault in faults(source, module="campaigns.receipts"))


def test_phonenumbers_elsewhere_is_found():
    assert faults("import phonenumbers", module="contacts.importing")
    assert faults("from phonenumbers import parse", module="contacts.importing")
    assert faults("import phonenumbers", module="smsdesk.phones") == []


def test_a_late_import_of_somebody_elses_code_is_allowed():
    assert faults("def late():\n    import openpyxl", module="contacts.importing") == []


@pytest.mark.parametrize(
    "source",
    [
        "from smsdesk import settings",
        "import smsdesk.settings",
        "from smsdesk.settings import DEBUG",
        "from smsdesk.urls import urlpatterns",
        "from smsdesk.api import router",
        "from smsdesk.provider_hooks import hook",
        "from smsdesk.management.commands import demo",
        "from contacts.management.commands.verify_ledger import Command",
    ],
)
def test_hanging_on_wiring_is_found(source):
    assert any("is wiring" in fault for fault in faults(source, module="contacts.consent"))


@pytest.mark.parametrize("module", ["smsdesk.urls", "smsdesk.api.router", "smsdesk.management.commands.demo"])
def test_wiring_may_name_every_floor(module):
    assert faults("from inbound import views\nfrom smsdesk.api import router", module=module) == []


def test_wiring_may_not_import_late_either():
    assert faults("def late():\n    import inbound", module="smsdesk.urls")


@pytest.mark.parametrize(
    "module", ["contacts.utils", "smsdesk.helpers.text", "inbound.services", "campaigns.managers"]
)
def test_a_drawer_is_found(module):
    assert any("named by its subject" in fault for fault in faults("", module=module))


@pytest.mark.parametrize("module", ["smsdesk.gateways.twilio", "smsdesk.simulator.server"])
@pytest.mark.parametrize(
    "source",
    [
        "from campaigns.models import Sender",
        "from smsdesk.models import Heartbeat",
        "from django.db import connection",
    ],
)
def test_a_gateway_or_simulator_that_knows_the_database_is_found(module, source):
    assert faults(source, module=module)


@pytest.mark.parametrize(
    "source", ["from . import sending", "from .sending import queue", "from .. import contacts"]
)
def test_relative_imports_are_followed(source):
    assert faults(source, module="campaigns.receipts") == []
    assert [name for _, name, _ in imports("from . import consent", module="contacts", is_package=True)] == [
        "contacts.consent"
    ]


@pytest.mark.parametrize(
    "source",
    ["from contacts import consent", "from smsdesk.models import Heartbeat", "import smsdesk.phones", "import os"],
)
def test_imports_that_point_down_are_fine(source):
    assert faults(source, module="campaigns.sending") == []
