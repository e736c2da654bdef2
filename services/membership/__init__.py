"""membership: who is on which list; routed mail → chunks to send.

Answers    `postroad.membership.<command>` (NATS micro, queue group membership): whois,
           list_create, list_set, list_show, list_ls, list_close, subscribe, unsubscribe,
           member_set, member_address, member_erase, member_bounces, member_history,
           list_history, roster_past, consent, import, undo, roster, retry, held_ls,
           held_show, held_decide, request_ls, request_decide, letter_ls, letter_set,
           letter_preview, leave_look, leave, past_facts, past_audience, propose, let_through,
           missing. Requests and answers are in
           schemas/commands.py, schemas/addresses.py, schemas/mass.py,
           schemas/approvals.py, schemas/histories.py, schemas/erasure.py,
           schemas/templates.py, schemas/leaving.py and schemas/hindsight.py.
Consumes   `mail.routed.post.>` and `mail.routed.owner.>` (durable fanout) and, by following
           them, `lists.>`, `people.>` and `membership.>`; `mail.routed.command.>`, and
           `mail.routed.held.>`, `.accepted.>` and `.rejected.>`, to tell authors what became of a
           post, and to do what a verdict asks for besides (durable answers);
           `mail.routed.bounce.>`, to count them (durable bounces)
Reads      DELIVERY, once a minute, once a day and for `retry`: whose copies finally failed;
           SEND, for whose copy a bounce is about, and, with DELIVERY, who has no copy of a post
Emits      `lists.<list>`, `people.<key>`, `membership.<list>.<person>`: one message a decision
           `mail.send.<now|bulk>.<list>.<mail_id>.<chunk>`: whom a copy goes to
           `mail.fanout.<list>.<mail_id>`: how far a large fan-out has come
           `mail.routed.done.<list>.<mail_id>`: every chunk is queued, or the command is obeyed
           `mail.routed.<accepted|rejected|discarded>.<list>.<mail_id>`: a verdict on held mail;
           `accepted` also where `postroad replay` lets through what a rule stopped
           `pending.confirmation.<key>`, `pending.contact.<key>`: questions, and the limits
           `pending.request.<list>.<id>`: who waits for owners to let them join or leave
           `pending.failures`, `pending.held.<list>`: how far owners were told of final failures,
           and of held mail; `pending.bounces`, how far failures are counted
           `raw.<notice>.0.0`, `mail.send.now.<list>.<notice>.0`: a letter to one person, which
           has a mail id of its own

Settings   `[site]` state_dir, secret_file, base_url, default_language, letters_dir;
           `[web]` for https links to leave by;
           `[[domain]]` owner: gets mail to the owners of a list that has none;
           `[[source]]` authserv_id: whose word proves who wrote a mail

Promises
    - The same command again changes nothing, and says so.
    - An answer to a change comes when this instance's roster has folded it.
    - A command by mail is obeyed once and answered once: see services/membership/requests.
    - Addresses are kept in PEOPLE and nowhere else for good. Erasing a person overwrites the bytes
      of them there and wherever else they may be found (docs/privacy.md).
    - Settings hold no address of a person, only its key; who asks of an author is told which of
      the entries mean them. Who is banned does not get onto the list, and is not written to.
    - A slug is never used again, nor is the person id of somebody who was erased.
    - A post goes to those who received posts at the moment the router fixed (`as_of`) and still
      do: who left since gets nothing, who joined since gets the next. The author gets a copy.
    - Every recipient stands in one chunk of a post, whatever is killed, however often the post
      is delivered again, and if several instances work on it at once.
    - A letter goes out once, and to nobody because of a mail that somebody else may have
      written (but for confirmations, which are few): see services/membership/letters.
    - A list in memory (up to 2,000 people) costs no query: 10 recipients in under 1 ms.

Roster     DuckDB in `state_dir/roster.duckdb`, rows and stream positions in one transaction.
           It can be deleted at any time: it is folded anew from the streams (as it is where its
           schema is of another release, or the broker behind it was replaced). Each instance on
           a host has its own (`roster-2.duckdb`, ...).

Failure    The broker away: commands are refused ("try again"), mail waits in its stream.
           A roster that is behind: fan-out waits for it, up to 10 s a try.
           Killed between chunks: the next try goes on after the last person queued.
           A list without owners and without a domain owner: mail to -owner is recorded as done
           with nobody reached, and logged.

Not yet    Digests.

RFCs       5321 section 2.3.11 (local parts may differ by case; ours are compared folded),
           3834 (what answers by itself), 8601 (who wrote a mail)

Files      decider      one person on one list (pure)
           lists        one list, and the slugs of all (pure)
           settings     settings as typed (pure)
           entries      those with several values (pure)
           bans         who may not join
           refused      how a command is turned down (pure)
           actors       who did it (pure)
           languages    in which letters are written (pure)
           directory    every list, in memory (pure)
           mirror       small lists, in memory (pure)
           fanout       an audience into chunks (pure)
           failures     who finally got no copy, and into chunks again (pure)
           people       whose address it is
           erasing      a person is forgotten, wherever we keep anything of them
           naming       whether a text names somebody (pure)
           expiry       questions that nobody can answer any more
           addressbook  what becomes of an address that somebody changes (pure)
           moves        a person's address changes, and their lists know
           feed         what keeps the roster true
           roster       every question anybody asks of it
           commands     one function a command
           history      what happened, and who was there when
           authors      who wrote a mail, for the router
           importing    a thousand people at once
           rows         what a row of a file means for its person (pure)
           undoing      a mass change is taken back
           restoring    how somebody comes back to an earlier state (pure)
           retrying     failed copies, sent once more
           hindsight    earlier moments, for whoever judges past mail anew
           afterall     past mail, and copies, that go out after all
           missing      who has a copy of a post (pure)
           owners       who runs a list
           endpoints    commands over NATS
           distribute   routed mail into chunks
           received     the mail that a decision is on
           answers      mail that somebody waits for an answer to
           requests     what people ask for by mail
           bounces      what comes back, and what becomes of who has too much of it
           links        leave links, followed on the web
           approvals    who waits for owners to let them join or leave
           moderation   held mail, and what people decide on it
           letters      every mail we write to people
           service      all of it together
"""
