"""What a team would build from the usual parts, sending through the same carrier: the other side of a ratio."""
