"""Parked messages as people see them, and what becomes of them.

letters  everything that is parked, with what became of it
words    what it is, and why, in plain words
sending  putting back and dropping, each once
saving   octets into a file
"""
