"""The other side of the wire: real servers, recorders and a checker for the tests.

Each module is one peer, an async context manager on loopback ports with its own temporary
directory. A missing program skips the test and names the package to install. None of them
imports the product: what they say about it is independent evidence.

    dovecot     a real IMAP (and LMTP) server over Maildir
    postfix     a real relay in front of a sink (needs root)
    smtpsink    Postfix's smtp-sink and smtp-source
    sink        our recording SMTP server, with scripted faults
    checker     what the sinks' records say about lost, doubled and changed copies
    imapscript  a small IMAP server that misbehaves on command
    nats        a private nats-server with JetStream

`fixtures` turns them into pytest fixtures for the conftest that imports it.
"""
