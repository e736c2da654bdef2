"""Copies of everything Postroad keeps, in one directory, and the way back.

Files      order        which stream is copied when, and why
           crc32c       the checksum of the frames that a broker restores from (pure)
           records      a stored message as it lies in a copy (pure)
           framing      records as the broker takes them
           reading      a part of a stream, off the wire, as it lies there
           manifest     what one backup consists of
           vault        the directory: pieces, backups, what nobody needs any more
           segments     records in pieces
           copying      one stream into pieces, only what is new
           settingsfiles the settings and the files that they name
           making       a whole backup
           returning    one stream from pieces back into a broker
"""
