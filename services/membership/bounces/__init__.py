"""Bounces: what they count, and what becomes of a member who has too many.

Promises
    - Only what is proved counts: a token names the copy; without one, a copy that had none to
      a member whom the report names, which stops nobody before a letter with a token came back.
    - Nobody gets more than one point a day. What is refused because of the mail itself, its author
      or the relay (`policy`) is kept as evidence and counts nothing.
    - A complaint stops delivery at once, and is answered by nothing.

Files      decider      one person's score, warnings and end on one list (pure)
           evidence     which failure of a report is whose, and what is kept of it (pure)
           incident     whether a provider fails, and not its people (pure)
           copies       whose copy a bounce is about
           desk         reports that come back, and refusals in the ledger
           warnings     who is stopped is warned, and in the end removed
           letters      to who is stopped, and to owners
           scores       who has bounces, and which, for people who ask
           told         evidence in words (pure)
"""
