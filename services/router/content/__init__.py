"""What becomes of a post's parts: the content filter, and the changed body it makes.

Files      job         what a worker is asked and answers (pure)
           filtering   which parts members get (pure)
           plaintext   HTML as text (pure)
           worker      the process that does it, within limits
           workers     the processes there are
           filter      what the router asks of them, and the changed body in RAW
"""
