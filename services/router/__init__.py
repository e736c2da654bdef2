"""router: mail.received → mail.routed, one decision for each mail and list.

Consumes   `mail.received.>` (durable router), `mail.routed.accepted.>` (durable accepted) and, by
           following it, `lists.>`
Reads      RAW, of posts to a list with a header or footer, a content filter, or that looks into
           headers; of posts that carry a moderator's password; of all posts, where hooks are active
           ROUTED and SEND, to find what a bounce is about; THREADS, to tell a second copy
           and what an answer answers; SEEN, to tell an author who repeats; RECEIVED, for the mail
           that a copy of ours was made of
Asks       `postroad.membership.whois`: who the author is on this list, and how far the roster
           had read when it answered (`as_of`)
Emits      `mail.routed.<kind>.<list>.<mail_id>`, kind being
               post       PostRouted: fan it out, with these header edits and these lines
               owner      OwnerMailRouted: to owners and moderators; with list `none` to the
                          owner of a domain
               command    CommandRouted: mail to -join, -leave, -confirm, -request; at a list
                          with `sub_address = none`, a Subject that is a command. List `none`
                          where only membership can tell the list by the token
               bounce     BounceRouted: mail to -bounces, and reports on a mail of ours
                          wherever they come in, with that mail's id and the recipient's number
               held, rejected, discarded
                          MailStopped: the rules that hit, each with its reason
               unrouted   MailUnrouted, list `none`: for no list of ours, never dropped
           `threads.<list>.<digest>`: the posts of a list that have a Message-ID, and the first
           of their conversation
           `seen.<list>.recent.<who>`: digests of an author's posts of a day, 100 at most; `who`
           is a person's id, or 16 bits of a digest of a stranger's address
           `raw.<mail_id>.<part>.<i>`, part 1 and up: what is left of a mail without the parts
           that a list does not take, and without a password, or what a hook rewrote it to; lists
           for which it is the same share one

Settings   `[[source]]` domain, list, user, one_copy; `[[domain]]` owner, catch_all; `[site]`
           secret_file for the tokens it reads (read when the first one comes), header_checks for
           the rule suspicious-header, spam_headers;
           `[dns]`, `[spamd]`; of a list:
           those that the rules name, acceptable_aliases, default_member_action, personalize,
           sub_address, subject_prefix, display_name, description, header, footer,
           reply_goes_to_list, reply_to_address, first_strip_reply_to, anonymous_list,
           include_rfc2369_headers, filter_content and the seven that go with it,
           dmarc_mitigate_action and the five that go with it, spam_action and the three with it

Promises
    - Recipients come from the best evidence there is: the envelope, else the headers the source
      trusts, else To and Cc (see `recipients`). A source reaches only lists of its domain, or
      the one it is for, whatever To says: by no address or token any other.
    - Mail to postmaster@ and its like goes to the domain's owner, mail to nobody where
      `catch_all` says; neither is ever answered.
    - A mail to two lists is two decisions that know nothing of each other. A mail to two addresses
      of one list (team@ and team-owner@) is two decisions as well, the second under
      `<mail_id>-2`; posting addresses come first.
    - Each decision is stored once: it expects that no decision on its mail and list exists.
      A mail delivered again, or all mail delivered again, decides nothing anew.
    - A mail that comes by two ways is posted once to each list; the second copy is discarded by
      the rule `duplicate`, which names the first (ADR-10). Same is what has the same Message-ID,
      From and body, within 30 days. A copy that one list sent to another counts as the mail it
      was made of, whatever From it has now, so a mail to both is posted once; so do, within a
      day, those of one Message-ID and body, or author, of which one came through any list
      (lists of other systems, in a ring). Only what was posted counts: a held mail may be sent
      again.
    - A post names what it answers and the first of its conversation, of this list alone, in
      whatever order posts come (ADR-14). A Message-ID means the first post that had it.
    - An author who goes on as only a robot does is held by `repetition`, however many routers
      there are, and whatever is delivered again. Times are those of arrival in the mailbox.
    - A bounce is about a post only where a token proves it, or where ROUTED or SEND has the mail
      whose trace it quotes. A forged token changes nothing, and is recorded as it came.
    - Own copies, and notices for others, that turn up in the mailbox are discarded by `loop`.
    - A mail without exactly one readable author is held; no rule ever drops it for that.
    - A copy that a list of ours sent to the mailbox itself is discarded, whichever lists it names.
    - Held mail that a moderator accepted, and whatever `postroad replay` lets through, is decided
      on as if it had just come, for those who were members at the time that the verdict names.
      Only `loop` and `duplicate` still stop it. It is posted once.
    - Mail to -owner is never moderated. Only what comes round again and what answers by itself
      is stopped there, and recorded as discarded.
    - A mail is called unrouted only after every list stored so far has been looked at, and for
      good: mail that is older than a list is not for it (ADR-7), so have it sent again.
    - Any header facts get a verdict; no input makes the rules raise. A pattern of an owner takes
      10 ms at most, whatever it is (`postroad.mail.patterns`).
    - What takes mails apart is a process that may die of one. Such a mail is held; others are
      decided on meanwhile. A post whose body stays has nothing to do with it.
    - A hook that fails, or takes more than 2 s, holds the mail and is named; it loses none.
    - What name servers are asked is asked once while the answer holds. 24 mails wait for them, and
      24 for spamd, at most; others are given back for a moment. A mail waits for the timeout of
      `[dns]` and of `[spamd]`, and goes on without.
    - Of a password neither event nor log holds anything; it is taken off every copy.
    - Header and footer change no octet of what the author wrote, and no signed mail (ADR-11); one
      mail above 1 MB is in memory for it at a time.

Failure    Membership away: the mail waits in the stream and is tried again every second.
           The broker away: the mail is given back and decided later.
           No event of ours: ended, with a copy in DEADLETTER.
           Killed at any point: delivered again; lists decided before are passed over.

RFCs       2369, 2919, 5064 (list headers), 3464 (delivery reports), 3834 (automatic mail), 5321
           section 6.3 (loops)

Files      recipients   which of our lists a mail was sent to (pure)
           reach        what a source reaches: lists, tokens, the owners of domains
           context      what a rule sees and answers (pure)
           rules/       one rule a file; the order is the table in rules/__init__ (pure)
           subjectcommand  commands in Subjects (pure)
           content/     the content filter, in processes of its own
           hooking      packages of the operator's: loads them, asks them
           rewriting    a mail as a hook rewrote it (pure)
           looking      fetches what rules need beyond the header facts
           lookups/     asks others: name servers, for DMARC, and spamd
           passwords    whether a post carries the moderator's password, however often one guesses
           threads      what each list has posted, by Message-ID: claims and conversations
           conversation where a post stands among the others (pure)
           seen         each author's latest posts
           bounces      which post of which list a bounce is about
           decider      the decision (pure)
           copies       header edits of a post, the list's lines around its text (pure)
           service      the loop around them
"""
