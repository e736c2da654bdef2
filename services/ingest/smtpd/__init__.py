"""The server's side of SMTP and LMTP: what listens for mail. See the manual page of ingest."""
