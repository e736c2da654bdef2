"""sender: mail.send → SMTP, and a ledger entry for every window.

Consumes    `mail.send.now.>` and `mail.send.bulk.>` (durables sender-now, sender-bulk), RAW
Emits       `delivery.<list>.<mail>.<chunk>`: the ledger; `mail.retry...`: what to try later
Settings    [[relay]] host, port, tls, user, password_file, connections, window,
            recipients_per_transaction, retry_after; [[domain]] relay

One chunk is sent by one lane (one SMTP connection). The ledger runs one window ahead: the intent
of a window is on disk before its first message leaves, so after a crash only windows that were
open can go out twice, at most lanes x window copies. Every entry expects the sequence of the one
before, so a worker that was frozen and replaced stops at its next entry.

Failure     4xx for a recipient: a smaller chunk, scheduled by the broker; given up after 5 days.
            5xx for a recipient: recorded, never tried again.
            trouble with the relay (refused login, quota, no connection): the relay is paused,
            everything stays pending, nobody is blamed.
            A copy whose final dot was sent and never answered is sent again and marked.

RFCs        5321 (SMTP), 2920 (pipelining), 6152 (8BITMIME), 6531 (SMTPUTF8), 3463 (codes)
"""
