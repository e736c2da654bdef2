"""ingest: takes mail from its sources onto the road.

Consumes   of every `[[source]]`, by its kind: an IMAP folder, told by IDLE and by asking every
           `poll` seconds; a POP3 mailbox, visited every `poll` seconds, less or more a tenth;
           a Maildir, looked at when files come or go, and every `poll` seconds;
           the sessions of clients that speak LMTP or SMTP; `lists.>`, whom they may write to;
           `mail.routed.*.<list>.<mail_id>` (core NATS), where a client waits for the verdict;
           `$KV.CHECKPOINTS.<source>`, where it stands in each
Emits      `raw.<mail_id>.0.<i>`               the bytes of a mail
           `mail.received.<source>.<mail_id>`  MailReceived (header facts, digest of the body,
                                               what a delivery report says of a mail of ours,
                                               where the bytes lie), or MailRefused, for mail
                                               that is left where it is
           `$KV.CHECKPOINTS.<source>`          the first contact, and of IMAP folder, UIDVALIDITY,
                                               UID, which UIDs below it had no mail; of POP3
                                               and of a Maildir digests of the names of mail
                                               that stays there
Trace      begins here: the trace id is the mail id, the first span `ingest.receive`

Settings   `[[source]]` name, host, port, tls, user, password_file, oauth2, folder, start, after,
           poll, idle, recipient_headers, max_size (in octets of RFC822.SIZE); of sockets
           tls_cert_file, tls_key_file, connections, verdict

Promises
    - A mail is in RAW and in RECEIVED, both on disk, before it is flagged, moved or deleted; the
      checkpoint passes it last. Killed anywhere in between, ingest meets the mail again, finds it
      in RECEIVED under the same mail id, and only flags it: nothing lost, nothing doubled.
    - Reading never marks a mail as read. Whatever is refused stays on the server as it was.
    - A mail larger than `max_size` is refused (`too_large`) before its bytes are fetched.
    - First contact takes what `start` says; a later change of `start` changes nothing.
    - The checkpoint passes mails that were listed, never UIDNEXT. A mail that is shown late, below
      others (servers of many replicas do that), is taken: the last 1,000 UIDs that had no mail are
      looked at again at every login, 10 seconds after they were found missing, then every
      2 minutes, and whenever mail is announced that lies nowhere above.
    - After a change of UIDVALIDITY the folder is read again. What RECEIVED holds is not published
      a second time, told by its bytes; what is older than 25 days (less
      where `[retention]` mail is below 30) is refused (`stale`), because
      RECEIVED may have forgotten it; what first contact passed over stays passed over.
    - A mail whose fetching failed is fetched alone and after all others, so it keeps back none;
      after ten tries over some five minutes it is refused (`unreadable`).

    - No login is sent over a line that should have TLS and has none: what a server, or somebody in
      between, says before STARTTLS is done is not believed.
    - With `after = "seen"` a folder that is read-only is read all the same, each mail once.

POP3       The same order: RAW, RECEIVED, DELE, QUIT, checkpoint. The server deletes at QUIT: a mail
           whose session broke is met again, and known. It has no flags, no dates: `after = "seen"`
           leaves all mail there as it was, up to 65,536 of them; `arrived` is the date of the
           topmost Received. Mail is known by its unique id (UIDL), or, where the server gives none
           or the same to several, by its bytes, for which it is read at every visit. Where all ids
           change at once, what RECEIVED holds is told by its bytes, what is older than the first
           contact (with `"now"`) or than 25 days is left. One session at a time, of 1,000 mails at
           most; another's (`[IN-USE]`) is waited for.

Maildir    What nobody has read is taken, from new and cur, the oldest first, 10,000 names in memory
           at most: RAW, RECEIVED, then the file is renamed, moved or deleted. What a crash left
           there is met again, and known by its unique name. KV holds what first contact passed
           over, and what could not be marked. No link is followed, nothing but a file of a sane
           size is read, and one that changes meanwhile is left until it does not.

Sockets    LMTP and SMTP (`smtpd/`): 250 when RAW and RECEIVED have the mail on disk, 451 while the
           broker does not take it, 452 where it has no room, 550 where a recipient is no list of
           the source's domain, 552 above `max_size`, by SIZE and as octets come. One mail to
           several lists is one MailReceived; a mail that comes a second time, with the same bytes
           and envelope, is known. One Received is put before a mail, below which all is as it came;
           a second try has that of the first. Only CRLF.CRLF ends a mail; one with a bare CR or LF
           or a NUL is refused at its end (554). Who does not wait for an answer that must be waited
           for (STARTTLS, DATA, AUTH) is shown out; so are 20 errors, 100 commands without a mail,
           lines of 4 KB, 5 minutes of silence, 15 minutes for a mail; 15 seconds of idleness with
           three quarters of `connections` taken. Logins (PLAIN, LOGIN) only behind TLS or from this
           machine. With `verdict = "dialogue"` a mail to one list waits up to 5 seconds to be told
           550 5.7.1 where the list rejects it. Told to stop, sessions end with 421 where they wait;
           what is being stored is answered.

Pipe       `postroad mail take` publishes by itself, and ends with 0 when both are stored; the
           service has nothing to read there. A mail handed over again has the same mail id.

Failure    A source that fails reports one line in `postroad status` and comes back after 1/4, 1,
           4, 16, then every 60 seconds, less a random half; at once every minute where a person
           must act (password, login, folder, certificate): then the alarm is raised, and within
           seconds of a new password or login the source is back. Other sources go on. Where the
           server refuses to flag or move, mail goes on and the flagging is tried again; the
           checkpoint waits. Limits of a provider (throttling, too many connections) are waited
           out and no mail is passed over, nor held to be unreadable, for them.
           A login by token that is over raises the alarm within 30 seconds of the refused renewal,
           though the session goes on while the server lets it.
           With `--once` each source is tried three times; exit code 1 names those that failed.
           The broker away: publishing is tried for 15 seconds, then the source starts over; clients
           are told 451 at once. A port that cannot be had is tried again like a mailbox.

Figures    A first contact with 20,000 mails of 100 octets: 14 s and 45 MB (41 MB before it) with
           `start = "all"`, 0.1 s with `"now"`; two shared cores, broker and server beside it.
           POP3: 5,000 small mails taken and deleted in 6 s, 0.3 ms of a core each. Maildir: 100,000
           files at first contact, 0.4 ms each and 58 MB; `"now"` with 60,000 there, 0.9 s.
           `mail take`: 0.3 s of a core and 48 MB a call, nearly all to start.
           LMTP: 0.5 ms of a core a mail of 4 KB, 1,100 a second acknowledged over 16 connections
           (`make bench BENCH=intake` has the whole road beside it); ten mails of 19 MB at once add
           less than 150 MB.

Not yet    OAUTHBEARER (RFC 7628).

RFCs       3501 (IMAP4rev1), 2177 (IDLE), 4315 (UIDPLUS), 6851 (MOVE), 4616 and 4959 (AUTHENTICATE
           PLAIN, for user or password outside ASCII), 5530 (response codes), 8314 (implicit TLS);
           5321 (SMTP), 2033 (LMTP), 1870 (SIZE), 2034, 2920 (PIPELINING), 3207 (STARTTLS), 3848
           (what Received calls them), 4954 (AUTH), 6152 (8BITMIME), 6531 (SMTPUTF8);
           1939 (POP3), 2449 (CAPA), 2595 (STLS), 3206 (response codes), 5034 (AUTH);
           XOAUTH2 as Google and Microsoft describe it

Files      service    all sources together
           kinds      what reads a source of each kind
           feed       the loop around whatever is read in sessions: it comes back
           arrival    a mail that came, but for its bytes
           description what the road is told of a mail (pure)
           trace      the Received field of mail that clients bring (pure)
           publisher  RAW and RECEIVED: events, traces
           opening    what a session begins with: a connection, a token
           trouble    what can be wrong with a mailbox, in words
           standing   what is remembered of mails that have names (pure), register keeps it in KV
           of IMAP
           decider    what to do with each mail (pure)
           syntax     IMAP's grammar (pure)
           framing    what a server sends, cut into responses (pure)
           protocol   what the server of one connection says
           connection TCP, TLS, STARTTLS, and commands that end
           login      by password, by token
           imap       one folder
           intake     one session: search, fetch, publish, flag, checkpoint
           folder     one session after another
           probe      a look for `postroad doctor` that changes nothing; glance reads what it saw
           pop3/      POP3: syntax, decider (pure), stream, account, maildrop
           maildir/   filename (pure), store, watcher
           pipe       what `postroad mail take` does
           smtpd/     LMTP and SMTP: session, content, paths, roles (pure), channel, desk, hearing,
                      listener
"""
