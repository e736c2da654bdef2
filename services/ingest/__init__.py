"""ingest: takes mail from mailboxes onto the road.

Consumes   the IMAP folder of every `[[source]]` (`kind = "imap"`), told by IDLE and by asking
           every `poll` seconds; `$KV.CHECKPOINTS.<source>`, its own place in each folder
Emits      `raw.<mail_id>.0.<i>`               the bytes of a mail
           `mail.received.<source>.<mail_id>`  MailReceived (header facts, where the bytes lie), or
                                               MailRefused, for mail that is left where it is
           `$KV.CHECKPOINTS.<source>`          folder, UIDVALIDITY, UID, and the first contact
Trace      begins here: the trace id is the mail id, the first span `ingest.receive`

Settings   `[[source]]` name, host, port, tls, user, password_file, folder, start, after, poll,
           idle, recipient_headers, max_size (in octets of RFC822.SIZE)

Promises
    - A mail is in RAW and in RECEIVED, both on disk, before it is flagged, moved or deleted; the
      checkpoint passes it last. Killed anywhere in between, ingest meets the mail again, finds it
      in RECEIVED under the same mail id, and only flags it: nothing lost, nothing doubled.
    - Reading never marks a mail as read. Whatever is refused stays on the server as it was.
    - A mail larger than `max_size` is refused (`too_large`) before its bytes are fetched.
    - First contact takes what `start` says; a later change of `start` changes nothing.
    - After a change of UIDVALIDITY the folder is read again. What RECEIVED holds is not published
      a second time, told by its bytes; what is older than 25 days is refused (`stale`), because
      RECEIVED may have forgotten it; what first contact passed over stays passed over.
    - A mail whose fetching failed is fetched alone and after all others, so it keeps back none;
      after ten tries over some five minutes it is refused (`unreadable`).

Failure    A source that fails reports one line in `postroad status` and comes back after 1/4, 1,
           4, 16, then every 60 seconds, less a random half; at once every minute where a person
           must act (password, folder, certificate). Other sources go on. Where the server refuses
           to flag or move, mail goes on and the flagging is tried again; the checkpoint waits.
           With `--once` each source is tried three times; exit code 1 names those that failed.
           The broker away: publishing is tried for 15 seconds, then the source starts over.

Not yet    STARTTLS and OAuth2; pop3, lmtp, smtp, maildir and pipe.

RFCs       3501 (IMAP4rev1), 2177 (IDLE), 4315 (UIDPLUS), 6851 (MOVE), 4616 and 4959 (AUTHENTICATE
           PLAIN, for user or password outside ASCII), 5530 (response codes), 8314 (implicit TLS)

Files      decider    what to do with each mail (pure)
           syntax     IMAP's grammar (pure)
           imap       one connection to one folder
           publisher  RAW and RECEIVED: mail ids, events, traces
           intake     one session: search, fetch, publish, flag, checkpoint
           trouble    what can be wrong with a mailbox, in words
           service    the loop around each source
"""
