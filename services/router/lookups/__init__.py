"""What others know of a mail: name servers of its author's domain, and spamd. I/O.

Nothing here holds up mail for long, or fails it: each question has a time-out, what is known is
not asked again, the same question is asked once at a time, and who is away is not asked again and
again. A mail that finds too many waiting for an answer is given back for a moment, so that others
are decided on.

Files      asking      all of it at once
           dmarc       policies of authors' domains, and whose signatures count for them
           nameserver  TXT records, and whether the name server answers at all
           spamd       what SpamAssassin thinks of a mail
           memory      what was answered, for as long as it holds
           seats       how many mails may wait
"""
