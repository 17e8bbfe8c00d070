"""`python -m smsdesk.simulator`: the carrier without Django."""

import argparse
import sys

from smsdesk.simulator import options, server
from smsdesk.simulator.accounts import BadAccounts
from smsdesk.simulator.faults import BadFault


def main() -> None:
    parser = argparse.ArgumentParser(prog="simulator", description=__doc__)
    options.add_arguments(parser)
    try:
        server.run(options.from_arguments(vars(parser.parse_args())))
    except (BadAccounts, BadFault, server.CannotStart) as error:
        sys.exit(f"simulator: {error}")


if __name__ == "__main__":
    main()
