"""janitor: deletes what is finished and has its age.

Reads      RAW, RECEIVED, SEND, DEADLETTER by headers, up to where they are old; what ROUTED,
           DELIVERY and the consumers say of each mail
Asks       the projector: `finished_sendings` and `finished_mails`, of
           `projections/analytics/finished.py`
Deletes    SEND     the copies of a mail at a list, or of a letter, and the progress of its fan-out:
                    all together, `send` after the last word on them
           RECEIVED, RAW  a mail and its bytes, `mail` after the last word on it at every list, and
                    once nothing of it is in SEND
           DEADLETTER  a parked message, its resolution and the broker's advisories, `deadletter`
                    after it was resolved (`ParkedResolved`); one that nobody resolved, never
Owns       `$KV.CHECKPOINTS.janitor.marks`: what it knows of time
Settings   `[retention]` mail, send, deadletter

Never      what the router, a fan-out, an answer or a count is not finished with at any list; held
goes       mail that waits for a verdict; copies that are on their way, scheduled or owed, and the
           mail they are of; a mail, of which a message is parked; bytes that nothing tells of;
           anything that the projector has not folded

Age        is counted in time that a janitor has itself lived through (`schemas.marks`),
           by a clock that nobody sets; a leap of that is believed for two ticks. The projector
           reads it, too. A mark says how far each stream
           had come; all that is said of a mail must lie before one that is old enough. Time in
           which nothing ran, or the janitor did not, lengthens what is kept. A tick is an hour,
           less where an age is less than a day.

Promises
    - What the projector says is only where to look: before anything goes, the streams are read,
      message by message. A copy goes where the last entry of its ledger is `finished` and nothing
      is scheduled; the ledger itself is dropped after 90 days, then it must have been folded.
    - A deletion names the last sequence that was looked at: what comes meanwhile stays.
    - Keys outlive what goes: ROUTED those of RECEIVED and SEND, the ledger those of letters. A
      consumer that is reset sends nothing.
    - Killed anywhere, the next look finds the rest: what a mail says goes before its bytes.
    - It is nice (15), does one thing at a time, and rests three times as long as a deletion took.

Deleting   purges: the bytes stay in the broker's files until it writes these anew, which it does
           once most of a file (8 MB) is gone. Overwriting each, as an erasure does, takes 85 ms of
           a stream in which nobody else can store. What was parked is overwritten: it is little.

Failure    The projector or the broker away, or behind: nothing goes, `postroad status` says so.
           A second janitor stands aside: only one writes the marks.
           A stream that was made anew: its marks are forgotten, every age begins again.

Files      decider   what is known of a mail → whether it may go, or why not (pure)
           evidence  what the streams hold of it
           sweep     one look
           waiting   what stays, and when it is worth another look (pure)
           service   a mark, a look, a rest
"""
