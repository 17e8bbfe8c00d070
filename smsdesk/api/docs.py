"""The reference pages, and the answer to an address that does not exist."""

from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularSwaggerSplitView
from rest_framework.request import Request
from rest_framework.response import Response

from smsdesk.api.problems import Problem
from smsdesk.api.views import Endpoint


class Docs(SpectacularSwaggerSplitView):
    """Swagger UI from our own files, with no inline script or style."""

    template_name = "smsdesk/api_docs.html"


class Missing(Endpoint):
    """Any other address under the API: a problem, not an HTML page, and no redirect that loses a POST."""

    scopes = {"refuse": ""}

    @extend_schema(exclude=True)
    def refuse(self, request: Request, rest: str) -> Response:
        hint = "" if rest.endswith("/") else " Addresses end with a slash."
        raise Problem(404, "not_found", f"There is no such address.{hint} See /api/docs/.")


missing = Missing.as_view(dict.fromkeys(("get", "post", "put", "patch", "delete"), "refuse"))
