"""What all endpoints share: keys and their allowance, bodies read strictly, rows found or 404."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from django.db.models import Model, QuerySet
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.viewsets import GenericViewSet

from smsdesk import public_ids
from smsdesk.api import keys, limits
from smsdesk.api.problems import Problem
from smsdesk.errors import Invalid

Row = TypeVar("Row", bound=Model)


class Endpoint(GenericViewSet[Any]):
    """Base of all resources. `scopes` names a scope for every action; one without is closed."""

    scopes: ClassVar[Mapping[str, str]]
    id_prefix: ClassVar[str] = ""
    orderings: ClassVar[Sequence[str]] = ("created_at", "-created_at")
    lookup_field = "id"
    allowance: limits.Allowance | None = None

    def perform_authentication(self, request: Request) -> None:
        super().perform_authentication(request)
        self.allowance = limits.count(keys.of(request), now=timezone.now())
        if self.allowance.is_exceeded:
            raise limits.exceeded(self.allowance)

    def finalize_response(self, request: Request, response: Any, *arguments: Any, **named: Any) -> Any:
        response = super().finalize_response(request, response, *arguments, **named)
        if self.allowance is not None:
            for name, value in self.allowance.headers().items():
                response[name] = value
        response["Cache-Control"] = "no-store"
        return response

    def options(self, request: Any, *arguments: Any, **named: Any) -> Response:
        """Only what may be done here, in the `Allow` header."""
        return Response(status=204)

    def page(self, rows: QuerySet[Any], serializer: type[BaseSerializer[Any]]) -> Response:
        """One page of the filtered rows."""
        found = self.paginate_queryset(self.filter_queryset(rows))
        return self.get_paginated_response(serializer(found, many=True).data)


def read(request: Request, serializer: type[BaseSerializer[Any]]) -> dict[str, Any]:
    """The body as this serializer understands it; raises with a pointer to each fault."""
    form = serializer(data=request.data)
    form.is_valid(raise_exception=True)
    return dict(form.validated_data)


def read_some(request: Request, serializer: type[BaseSerializer[Any]]) -> dict[str, Any]:
    """Like `read`, for a PATCH: what the body does not name stays as it is."""
    form = serializer(data=request.data, partial=True)
    form.is_valid(raise_exception=True)
    return dict(form.validated_data)


def find(rows: QuerySet[Row], ref: str, *, prefix: str) -> Row:
    """The row of this public id among those the key may see; otherwise 404, whether it exists or not."""
    try:
        row = rows.filter(public_id=public_ids.parse(ref, prefix=prefix)).first()
    except Invalid as error:
        raise Problem(404, "not_found", error.sentence()) from None
    if row is None:
        raise Problem(404, "not_found", f"There is nothing of the id {ref} that this key may see.")
    return row
