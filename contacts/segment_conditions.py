"""The conditions of segments that contacts know of."""

from contacts.segments import kinds, moments, permissions, person, tags

kinds.register(*person.KINDS, *tags.KINDS, *permissions.KINDS, *moments.KINDS)
