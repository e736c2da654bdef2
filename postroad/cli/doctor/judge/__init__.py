"""Facts in, findings out: what each fact means, and what helps. Pure."""
