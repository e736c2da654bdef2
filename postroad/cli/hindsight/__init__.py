"""Past mail judged anew: what `postroad replay` and `postroad simulate` have in common.

Of today, or as proposed: the rules and all other code of the router, the settings of lists, the
sources, what name servers say. Of then: the mail itself, who its author was on the list, who
received posts, what moderators decided, and whether a password was right.

decided    what was decided on a mail at a list (pure)
standing   who authors were then (pure)
past       what membership, and the streams, say about earlier moments
window     the mails of a time, in pages, and all that was then
catalogue  the lists: as they stand, as proposed, as they were
reader     a broker that reads, and stores nothing
rehearsal  the router, deciding without a trace
differing  then and now, side by side (pure)
tally      how often they differ, and how (pure)
judging    mail by mail, through all of it
page       what was found, for people
looking    the answer to a question, without a trace
sending    what would go out today and did not, goes out

Nothing is stored or sent but by `sending`: a rehearsal has no way to.
"""
