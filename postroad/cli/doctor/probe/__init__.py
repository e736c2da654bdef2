"""Asking machines and servers for facts; nothing anywhere is changed by it."""
