"""Who may see a contact's pages: asked by every view of a contact."""

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404

from contacts.models import Contact


def visible(request: HttpRequest, object_id: str) -> Contact:
    if not (request.user.has_perm("contacts.view_contact") or request.user.has_perm("contacts.change_contact")):
        raise PermissionDenied
    if not (object_id.isascii() and object_id.isdigit()):
        raise Http404("There is no such contact.")
    return get_object_or_404(Contact, pk=int(object_id))


def require(request: HttpRequest, permission: str) -> None:
    if not request.user.has_perm(permission):
        raise PermissionDenied
