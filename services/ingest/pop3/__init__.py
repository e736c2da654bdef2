"""A POP3 mailbox as a source (RFC 1939): what is left there is known by its unique ids (UIDL).

Our own client, because poplib refuses lines of more than 2,048 octets (real mail has longer ones),
waits in a thread, and takes whatever a setting holds for a command.
"""
