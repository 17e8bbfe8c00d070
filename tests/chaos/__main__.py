"""One chaos run: `python -m tests.chaos --seed 7 --seconds 50 --json`.

A desk of its own is driven and harmed, then left in peace, then judged from the carrier's log. One line of JSON;
exit status 1 where a rule was broken, with the evidence in a folder. What is proven how: `docs/reliability.md`.
"""

import json
import sys

from tests.chaos import orders, running


def main() -> int:
    parser = orders.parser(__doc__ or "")
    parser.add_argument("--seed", default="1")
    given = parser.parse_args()
    order = orders.from_arguments(given, seed=given.seed)
    told = running.run(order, say=(lambda line: None) if given.json else lambda line: print(line, file=sys.stderr))
    print(json.dumps(told.line))
    return 1 if told.is_broken else 0


if __name__ == "__main__":
    sys.exit(main())
