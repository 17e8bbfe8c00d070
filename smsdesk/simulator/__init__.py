"""A carrier in a box: a process of its own that speaks the providers' HTTP dialects and knows no Django model."""
