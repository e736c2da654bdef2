"""web: the page behind the links by which people leave a list, and one-click leaving (RFC 8058).

Answers    `GET /u/<slug>-<token>`   a page that asks, with one button. Changes nothing
           `POST /u/<slug>-<token>`  with `List-Unsubscribe=One-Click` as a form (urlencoded or
                                     multipart): leaves at once; again, says the same
           `HEAD`                    as GET, without the page
           anything else             404, 405, and what is no HTTP 400, 408, 413 or 431
Asks       membership, by `postroad.membership.leave_look` and `postroad.membership.leave`; it has
           no roster, no site key, and reads no stream
Settings   `[web]` host, port; `[site]` base_url (the links begin with it)

Statuses   200  on the list, or left; the page says which, and how to come back
           404  none of our links: cut off, forged, or of another site key
           410  the person it was made for is erased
           503  membership or the broker is away, with Retry-After; to repeat a POST does no harm

Promises
    - Only POST changes something: scanners that open links, and previews, take nobody off.
    - No cookie, no login, no redirect, no script, nothing from elsewhere. A page is under 3 KB.
    - A link acts at once on every list, whatever its unsubscription_policy, and for as long as the
      list and the site key exist; only erasing its person ends it. It is the token of the mailto
      link, and takes nobody off another list, nor on.
    - No token stands in a log line, span, subject or argument. Pages forbid referrers, for the
      address of the page is the token, and may be neither stored, framed nor indexed.
    - Host and X-Forwarded-* are not read: nothing depends on them.

Hostile    One request a connection, so that nothing can hide behind it. 16 KB of header, 4 KB of
clients    body, 10 seconds for both, 10 to take the answer; 200 connections at once: where all are
           taken, whoever has not asked for a second gives way. 16 questions to membership at once;
           what has not the form of a link is refused without one, and what is forged leaves no
           span: strangers have nothing stored.

Failure    A port that cannot be had: tried again, `postroad status` says why, mail goes on.
           Membership away: waited for, for 3 seconds (a restart), then 503; an answer that is
           lost is asked for once more, as a repetition does no harm. Membership killed between
           the leaving and its goodbye: no goodbye is written.
           Told to stop: what was asked is answered, for 5 seconds at most.

TLS        Is the reverse proxy's; so are logs of addresses that visit, and limits for each of them.

Figures    0.8 ms of a core a page, and 0.3 of membership's; 29 MB (PSS).

RFCs       8058 (one click), 2369 (List-Unsubscribe), 9110 and 9112 (HTTP), 7578 (multipart)

Files      decider     a request → what to ask, the answer → a response (pure)
           form        what a body says (pure)
           pages       HTML (pure)
           service     what a request asks, asked of membership; clients are heard by
                       postroad/runtime/httplistener.py, one by httpconnection.py
"""
