"""approvals: who wants to join or leave a moderated list, and what its owners decide.

Request    somebody proved, or who has confirmed, waits: `pending.request.<list>.<id>`, one for each
           person, list and wish; its last message holds all of it, 14 days at most
Asking     owners and moderators get one letter each, with a token of 128 bits of their own, under
           its MAC in PENDING; a reply whose first line is accept, discard, or reject and a reason
           decides, and so does `postroad request`
Verdicts   accept   they are on the list, or off it, and are told
           reject   they are told, with the reason
           discard  nobody is told
           expired  nobody decided in seven days: they are told

Promises
    - One verdict a request: of two moderators one wins, and the other learns who, when and what.
    - A verdict that is stored is carried out, whoever is killed: what is not done yet is found and
      done within a minute of the next start, and nothing of it twice.
    - A token decides for whom it was sent to, as long as they run the list, and on the request that
      it was sent for, not on a later one of the same person.
    - Whom owners turned down they are not asked about again for a day.
    - Nobody banned joins, whoever accepts them.

Files      decider  one request, and what becomes of it (pure)
           desk     requests stored, told, decided and carried out
"""
