"""moderation: held mail, and what people decide on it.

Verdicts   accept   the router makes the post, under the settings it has then, for those who were
                    members when the verdict was given
           reject   the author is told, where they may be told anything
           discard  nobody is told
           expired  discarded, by nobody: it waited `max_days_to_hold`

Promises
    - One verdict a mail and list: it is stored expecting that the held event is the last decision
      on them, so of two moderators one wins, and the other learns who, when and what.
    - A verdict that is stored is carried out, whoever is killed: `accepted` by the router (durable
      accepted), a sender who is to be accepted always by membership (durable answers).
    - The same verdict because of the same mail again is the same verdict.

Files      decider      what has become of a held mail, and whether it can be decided (pure)
           verdicts     a verdict, stored
           waiting      the held mail that nobody has decided on
           desk         questions and verdicts from the command line
"""
