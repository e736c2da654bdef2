"""Messages of streams as people and programs read them.

naming   which streams and subjects somebody means
plain    a message as plain data, without the addresses and secrets in it
saying   a message in one line
choosing what of the streams is asked for
tailing  the latest of it, and what comes, as it comes
"""
