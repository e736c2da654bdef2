"""requests: what people ask a list for by mail: to join, leave, pause, or for help.

Addresses  -join, -leave      any content; a leave token acts for its person, whoever sends it
           -confirm+TOKEN     a plain Reply does; at a list of a long name `confirm+TOKEN@`
           -request           commands in the Subject or the first ten lines of the text: see
                              `words`; all of a mail are answered in one letter

Policy     Joining asks first, unless the list is open. Leaving and `set` act at once where the
           author is proved (Authentication-Results of the source's `authserv_id`, aligned), else
           they ask first. The question is the same whether the address is on the list or not.
           Where owners are to agree, they decide then: see services/membership/approvals. A leave
           token acts at once, whatever the policy.
           From says whom to answer, never Reply-To. Nobody asks for somebody else.
           `set address` and `add address` ask the new address, once it is proved, or confirmed by
           the one they have, that it is they who want it; until it says yes nothing changes. Each
           question names the other address, so that nobody says yes to a forger's wish.

Promises
    - A mail is obeyed once and answered once, whatever is killed: `mail.routed.done` is its key,
      changes are found again by mail id and place in the mail, letters by an id made from it.
    - Nobody is in PEOPLE before they agreed. The question lies in PENDING, for 14 days at most,
      under the MAC of its token; until it comes back only RAW, with the letter, has the token.
    - A token is 128 bits, works once, for three days, at its list; for a redelivered mail it is
      the same one.
    - What answers by itself (bounces, vacation notices) confirms and leaves nothing, not even
      with a token; where it only looks so, by its Subject or by what stands above the quotation,
      its author is told how to confirm. An answer of no ends the question.
    - One address is sent at most three letters in 24 hours, questions and answers together, over
      all lists; a question it said yes to is no longer counted, and what it is proved to have
      caused is counted for itself, three as well. One question of a list waits at a time: a later
      one about something else ends it, the same is not asked again that day unless it was answered
      by yes. Limits are counted by inbox: what follows a plus makes no new address, nor do dots at
      Gmail.
    - Whoever is neither proved nor known to us may be forged, by the thousand: of all of them
      together a list answers ten of one domain a day, and 200 in all. The question whether to
      join goes to each.
    - Three new addresses of a person are asked in a day; with a later one to move to, the question
      to the one before ends.
    - What a token or a proved From has done is always answered. Nothing that a program wrote is.
    - Nobody is put onto a list, or taken off, without hearing of it: at an open one, where the
      answers of a day are used up, whoever is not proved stays as they were.

Outcomes   in `command_done`: joined, left, moved, waiting, decided, confirmation_sent, answered,
           refused, ignored, limited

Letters    `Letter.text` names texts of letters/en.toml, several where a mail has several
           commands: confirm_<action>, confirm_invitation and not_confirmed are given `token`
           and `days`, which `lists`. What has another token is another letter; of texts that
           contradict each other (off the list, still on it) the last stands.

RFCs       3834 (what to answer), 8601 (who wrote it), 2369 (the unsubscribe button)

Files      words          the commands in a mail; their grammar: postroad.mail.commandwords (pure)
           intent         what a mail wants, and whether to listen to it (pure)
           confirmation   a token and its question (pure)
           answer         what a mail says to a question: yes, no, or a program wrote it (pure)
           agreement      what is kept of how somebody agreed (pure)
           limits         how often an address is written to (pure)
           reply          what came of each command, as letters (pure)
           confirmations  questions in PENDING
           contacts       limits in PENDING
           policy         what comes next: the wish, a question, or the owners (pure)
           questions      asking somebody
           verdict        what somebody who runs the list answers
           deeds          what a mail changes, and the letters that say so
           moving         to another address: it is asked, the old one is told
           turn           the commands of one mail
           outbox         replies on their way
           desk           one mail from the stream to done
"""
