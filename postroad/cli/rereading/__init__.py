"""Reading a stream again: what a consumer would be given once more, and what came of it before.

position  where to begin: a sequence, or a time
keys      by which keys each consumer knows what is done
preview   what would happen, counted
resetting doing it
"""
