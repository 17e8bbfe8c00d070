"""System checks: a dangerous setting is refused at start, with its cure (ids `smsdesk.E001` upward)."""
