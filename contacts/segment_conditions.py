"""The conditions of segments that contacts know of."""

from contacts.segments import kinds, moments, permissions, person

kinds.register(*person.KINDS, *permissions.KINDS, *moments.KINDS)
