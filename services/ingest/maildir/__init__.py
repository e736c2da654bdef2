"""A Maildir as a source: a folder that another daemon fills (https://cr.yp.to/proto/maildir.html)."""
