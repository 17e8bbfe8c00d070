#!/usr/bin/env python
"""The command line of smsdesk."""

import os
import sys


def main() -> None:
    if sys.version_info < (3, 11):  # noqa: UP036  said before an old Python stumbles over newer syntax
        version = ".".join(map(str, sys.version_info[:2]))
        sys.exit("smsdesk needs Python 3.11 or newer; this is " + version + ". Install one and use it.")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "smsdesk.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
