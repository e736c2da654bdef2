"""OAuth2 for mailboxes and relays: access tokens for XOAUTH2, renewed in time.

    tokens = Tokens(config)                                 # one for each process
    token = await tokens.access(source)                     # quick; waits only while it renews
    token = await tokens.access(source, refused=token)      # the server has just turned it down

`access` raises TokenError: `.reason` says in plain words what is wrong and what to run, `.lasting`
that only a person can mend it, so that whoever calls raises the alarm. It may be asked as often as
one likes (every few seconds while it raises): unless something has to be renewed, it looks at one
file and asks nobody.

**Where tokens come from.** `postroad oauth login NAME` stores a login, by browser or device code
(`login.py`, RFC 8252, 7636, 8628); with `flow = "client_credentials"` the program gets its tokens
alone. `provider.py` knows the URLs and scopes of google and microsoft. What the settings say wins.

**Where they lie.** `state_dir/oauth/`, a file (0600) for each login. Its name is a hash of
provider, token_url, client, user, flow and scope: a source and a relay of one account share one
login. Files are replaced as a whole (`store.py`), and a running service sees a new login at its
next call.

**When they are renewed.** 5 minutes before they end, less up to half of that by chance; of short
lives a fifth (`lifetime.py`). One renewal at a time, in this process and among all: a lock on a
file beside the login, then the file is read again, since another process may have renewed. It runs
in a thread, so that no cancelled task can lose a refresh token that the provider has just rotated:
what comes back is on the disk before anybody uses it; a process that ends waits up to 5 seconds
for that. A question takes 12 seconds at most, name server and all (`exchange.py`). Lives are
counted from `expires_in` and our own clock of the time since boot: neither the server's clock nor
a step of ours matters.

**When that fails.** The present token is used for as long as it lives. What passes (no answer
within 12 seconds, 5xx, 429, `temporarily_unavailable`) is tried again after 2 seconds, doubled up
to 5 minutes, by all processes together: the failure stands in the file of the login. What does not
pass (`invalid_grant`, `invalid_client`, ...; `refusals.py` has the words) is asked again only with
another login or secret, or after an hour. A token that the server turns down is renewed at once;
one that was renewed for that reason a moment ago waits 5 seconds, doubled up to 5 minutes.

No token, secret or address is in an error, a log line or a repr.
"""

from __future__ import annotations

from postroad.runtime.oauth.refusals import TokenError
from postroad.runtime.oauth.tokens import Tokens

__all__ = ["TokenError", "Tokens"]
