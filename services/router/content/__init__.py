"""What becomes of a post's parts: the content filter, and the changed body it makes.

MIME work is done by processes that may hang or die of a mail. What they make is stored in RAW as
part 1 of the mail, or the next where another list had it otherwise.

Files      job         what a worker is asked and answers (pure)
           filtering   which parts members get (pure)
           plaintext   HTML as text (pure)
           approvalline  the mail without the moderator's password (pure)
           telling     whether a mail tells a password, wherever in it (pure)
           change      what is made of a mail (pure)
           worker      the process that does it, within limits
           workers     the processes there are
           filter      what the router asks of them, and the changed body in RAW
"""
