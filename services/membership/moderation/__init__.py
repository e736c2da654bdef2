"""moderation: held mail, and what people decide on it.

Verdicts   accept   the router makes the post, under the settings it has then, for those who were
                    members when the verdict was given
           reject   the author is told, where they may be told anything
           discard  nobody is told
           expired  discarded, by nobody: it waited `max_days_to_hold`

Asking     owners and moderators get a letter: at once, then one an hour at most while more is
           held, and one a day while anything waits. Each mail in it has a token for each of them,
           of 128 bits, under its MAC in PENDING; the verdict is one word in the first line of a
           reply.

Promises
    - One verdict a mail and list: it is stored expecting that the held event is the last decision
      on them, so of two moderators one wins, and the other learns who, when and what.
    - A verdict that is stored is carried out, whoever is killed: `accepted` by the router (durable
      accepted), a sender who is to be accepted always by membership (durable answers).
    - The same verdict because of the same mail again is the same verdict.
    - A token decides for whom it was sent to, as long as they run the list, and on one mail.
      Nothing that a program wrote decides, nor what is quoted, nor a word within a sentence.
    - Nothing of a held mail stands in the header of a letter; of its text a few lines do, without
      markup. A letter goes out once; no reply to one goes to the list.
    - No verdict lets through a mail that tells a moderator's password which counts today.
    - Mail expires only `max_days_to_hold` days after owners were told that it waits, or would have
      been on a list that has none.

Files      decider      what has become of a held mail, and whether it can be decided (pure)
           words        the verdict in a reply (pure)
           schedule     when owners are told, and when mail expires (pure)
           notice       held mail in a letter (pure)
           extract      how a mail begins (pure)
           verdicts     a verdict, stored
           passwords    held mail that would tell a moderator's password
           waiting      the held mail that nobody has decided on
           notices      owners are told, and mail expires
           tokens       given out
           bymail       verdicts in replies
           desk         questions and verdicts from the command line
           always       senders who are accepted from now on
"""
