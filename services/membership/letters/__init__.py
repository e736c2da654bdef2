"""Letters: every mail that Postroad itself writes to people.

Texts      en.toml, what we say in English: one table a text, and what a text is made of; other
           languages are gettext catalogs beside it. A list or the site may have its own instead
Each mail  plain text and an HTML twin that says the same: no remote content, no tracking
           From and Reply-To    the address with the token for what is to be confirmed, else the
                                owners; at a list without sub-addresses the list itself, where a
                                token stands in the Subject
           Auto-Submitted (auto-replied to a mail, else auto-generated), Precedence: bulk and
           X-Auto-Response-Suppress: All, so that no robot answers
           List-Id, List-Help, and for members List-Unsubscribe
           the null sender, so that nothing bounces

Promises
    - What others wrote is never markup, never a header, and never in a confirmation.
    - The same letter is the same bytes. It is stored and queued once, however often it is sent.
    - Owners are told of final failures once a day at most, in one letter each; never of letters.
      Of held mail: see services/membership/moderation.
    - An author is told what became of a post only where From is proved (the source's
      `authserv_id`), never where a program wrote it, three times a day at most, once a mail.

Files      letter       what a letter is (pure)
           catalog      what we say, in each language (pure)
           po           gettext's catalogs as text (pure)
           own          a text as an owner typed it (pure)
           mailman      Mailman's names for letters and fields (pure)
           wording      which words a letter has for whom (pure)
           texts        words filled in (pure)
           site         texts and catalogs of the site
           readers      in which words a reader has a letter
           templates    what owners ask of letters
           composing    a letter as bytes (pure)
           posting      stored, and queued to be sent
           undelivered  whose copies failed, in words (pure)
           failed       owners hear of copies that finally failed
           held         authors whose post was held or rejected
"""

from services.membership.letters.composing import compose
from services.membership.letters.letter import Letter, notice_id

__all__ = ["Letter", "compose", "notice_id"]
