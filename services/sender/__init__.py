"""sender: mail.send → the relays, and a ledger entry for every window.

Consumes    `mail.send.now.>` and `mail.send.bulk.>` (durables sender-now, sender-bulk), RAW;
            `membership.<list>.*` of lists with a post on its way for more than two seconds
Emits       `delivery.<list>.<mail>.<chunk>`: the ledger; `mail.retry...`: what to try later, with
            how many copies and why in its headers (`schemas.waiting`); `mail.send...s<n>`: parts
            of chunks
Settings    [[relay]] kind, host, port, path, url, token_file, tls, user, password_file, oauth2,
            from, envelope, null_sender, keeps_message_id, domains, weight, daily, rate, warm_up,
            warm_up_from, destination, connections, window, recipients_per_transaction,
            retry_after; [[domain]] name, relay, dkim_key_file, dkim_selector,
            dkim_second_key_file, dkim_second_selector, arc; [site] delivery_retry_period

A relay is a server that speaks SMTP or LMTP, a URL that mail is posted to, or a Maildir or mbox:
`kinds` has what all of them can do. One chunk is sent by one lane (one connection). The ledger
runs one window ahead: the intent of a window is on disk before its first message leaves, so after
a crash only windows that were open can go out twice, at most lanes x window copies. Every entry
expects the sequence of the one before, so a worker that was frozen and replaced stops at its next
entry. Where only the process died, the journal in state_dir/sender (`journal`) leaves in doubt
just the message of each lane whose final dot was unanswered, and the ledger marks exactly those;
it also marks whose answer a domain kept a window waiting for (`late`), before it came.

A recipient can be withheld from a window: it is recorded what became of them, and the relay is
not asked (`window.plan`). Who has left the list is (`departed`), five seconds after that at the
latest; what is not for members (letters, mail to owners, `also_to`) goes out.

A chunk goes one way (`route`): through one relay, chosen by the recipients' domains, the list's
domain and weight (`routes`), and, where a domain has limits, is slow or refuses mail
(`destinations`), with recipients of that domain alone. A chunk with several relays is split: its
ledger is closed, then one atomic batch queues its parts. Who may not go now for the domain's sake
is withheld and follows in such a part; where the domain is sick, on at most a tenth of the
connections, half of which others take where they need them. Lanes are as many as the relay's
distance asks for (`width`).

What a relay does not take is not offered to it (`compose.Terms`, once for each post and relay):
From becomes "Ann via Team" <the address it takes> and the author goes into Reply-To
(`postroad.mail.munge`); where all copies have one envelope sender, X-Postroad-Copy holds the
token that a bounce proves its recipient with; where Message-IDs are written anew, the author's
ends References. Limits longer than a minute are counted from the ledger at start (`quota`); room is
taken before a window is sent, so that no 24 hours have one recipient more. They hold for one sender
process.

Failure     4xx for a recipient: a smaller chunk, scheduled by the broker; given up after
            delivery_retry_period.
            5xx for a recipient: recorded, never tried again.
            trouble with the relay (refused login, quota, no connection): the relay is paused,
            everything stays pending, nobody is blamed. What only a person can mend, and a
            day's quota, raise the alarm, once; it is cleared when a window went through.
            A relay that hangs up at one recipient again, having served others: that one is tried
            apart (`stumbles`), and given up like who is refused for now.
            A relay that failed and that nobody needs since is asked now and then (`standby`).
            A copy whose final dot was sent and never answered is sent again and marked.
            no token: the relay is paused for 5 s at most, so that a new login works at once.
            A mail that cannot be signed leaves unsigned, and a log line says why (`signing`).

RFCs        5321 (SMTP), 2033 (LMTP), 2920 (pipelining), 6152 (8BITMIME), 6531 (SMTPUTF8),
            3463 (codes), 6376 and 8463 (DKIM), 8617 (ARC), 8058 (one-click leaving)
"""
