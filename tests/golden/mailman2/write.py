"""Writes `config.pck` as Mailman 2.1.39 does: for Python 2.7, with its cPickle and protocol 1.

MailList.Save pickles a dict of every attribute whose name does not begin with `_`; the names are
those of MailList.InitVars and of its mixins. The only instances are of Mailman.Bouncer's
`_BounceInfo`, a class of the old style; a stand-in of that name is pickled here.

    python2.7 write.py config.pck
"""

import importlib
import sys
import types


def stand_in():
    """Mailman.Bouncer._BounceInfo, as a pickle names it."""
    mailman, bouncer = types.ModuleType("Mailman"), types.ModuleType("Mailman.Bouncer")
    sys.modules["Mailman"], sys.modules["Mailman.Bouncer"] = mailman, bouncer
    exec(
        "class _BounceInfo:\n"
        "    def __init__(self, member, score, date, noticesleft):\n"
        "        self.member, self.score, self.date = member, score, date\n"
        "        self.noticesleft, self.lastnotice = noticesleft, (1970, 1, 2)\n",
        bouncer.__dict__,
    )
    return bouncer._BounceInfo


def attributes(info):
    """A list as its owners might have it."""
    return {
        # of MailList, not for owners to set
        "created_at": 1167609600.0,
        "members": {
            "ann.archer@example.net": "Ann.Archer@example.net",
            "ben@example.net": 0,
            "dora@example.org": 0,
        },
        "data_version": 98,
        "last_post_time": 1400000000.5,
        "post_id": 41.0,
        "user_options": {
            "ben@example.net": 128 | 2,
            "carl@example.org": 8,
            "dora@example.org": 256 | 16,
        },
        "language": {"ann.archer@example.net": "en"},
        "usernames": {
            "ann.archer@example.net": "Ann Archer",
            "ben@example.net": b"B\xc3\xa9n \xc3\x96".decode("utf-8"),
        },
        "passwords": {"ann.archer@example.net": "usemuucu"},
        "new_member_options": 256,
        # of MailList, for owners to set
        "respond_to_post_requests": True,
        "advertised": True,
        "max_num_recipients": 25,
        "max_message_size": 400,
        "host_name": "lists.example.org",
        "web_page_url": "http://lists.example.org/mailman/",
        "owner": ["olga@example.net"],
        "moderator": ["ben@example.net"],
        "reply_goes_to_list": 2,
        "reply_to_address": "desk@example.net",
        "first_strip_reply_to": True,
        "admin_immed_notify": True,
        "admin_notify_mchanges": False,
        "require_explicit_destination": True,
        "acceptable_aliases": "everybody@example.org\n^all-.*@example\\.org\n",
        "umbrella_list": False,
        "umbrella_member_suffix": "-owner",
        "regular_exclude_lists": [],
        "regular_exclude_ignore": True,
        "regular_include_lists": [],
        "send_reminders": True,
        "send_welcome_msg": False,
        "send_goodbye_msg": True,
        "bounce_matching_headers": "# comment\nto: friend@public\\.example\n",
        "header_filter_rules": [
            ("^X-Spam-Flag: yes", 3, False),
            ("^subject:.*viagra\n^subject: \\[ad\\]", 7, False),
            ("no header here", 2, False),
        ],
        "from_is_list": 0,
        "anonymous_list": False,
        "real_name": "Staff",
        "description": "All of the staff, \xc3\xb6ffentlich",
        "info": "",
        "welcome_msg": "Welcome aboard",
        "goodbye_msg": "",
        "subscribe_policy": 1,
        "subscribe_auto_approval": [],
        "unsubscribe_policy": 0,
        "private_roster": 1,
        "obscure_addresses": True,
        "admin_member_chunksize": 30,
        "administrivia": True,
        "drop_cc": True,
        "preferred_language": "en",
        "available_languages": ["en"],
        "include_rfc2369_headers": 1,
        "include_list_post_header": 1,
        "include_sender_header": 1,
        "filter_mime_types": [],
        "pass_mime_types": ["multipart/mixed", "text/plain"],
        "filter_filename_extensions": ["exe", "bat"],
        "pass_filename_extensions": [],
        "filter_content": True,
        "collapse_alternatives": True,
        "convert_html_to_plaintext": True,
        "filter_action": 3,
        "nondigestable": True,
        "personalize": 0,
        "default_member_moderation": False,
        "emergency": 0,
        "member_verbosity_threshold": 0,
        "member_verbosity_interval": 300,
        "member_moderation_action": 1,
        "member_moderation_notice": "",
        "dmarc_moderation_action": 1,
        "dmarc_quarantine_moderation_action": True,
        "dmarc_none_moderation_action": False,
        "dmarc_moderation_notice": "",
        "dmarc_moderation_addresses": [],
        "dmarc_wrapped_message_text": "",
        "equivalent_domains": "",
        "accept_these_nonmembers": ["boss@example.net", "^.*@partner\\.example$"],
        "hold_these_nonmembers": [],
        "reject_these_nonmembers": [],
        "discard_these_nonmembers": ["(?=odd)"],
        "forward_auto_discards": True,
        "generic_nonmember_action": 2,
        "nonmember_rejection_notice": "",
        "ban_list": ["spammer@example.com", "^.*@spam\\.example$"],
        "password": "6b6d4a",
        "hold_and_cmd_autoresponses": {"eve@example.com": ((2014, 5, 13), 2)},
        "subject_prefix": "[Staff] ",
        "msg_header": "",
        "msg_footer": (
            "_______________________________________________\n%(real_name)s mailing list\n"
            "%(real_name)s@%(host_name)s\n"
            "%(web_page_url)slistinfo%(cgiext)s/%(_internal_name)s"
        ),
        "encode_ascii_prefixes": 0,
        "scrub_nondigest": False,
        "max_days_to_hold": 0,
        # Archiver
        "archive": True,
        "archive_private": 0,
        "archive_volume_frequency": 1,
        "clobber_date_on_archive": 0,
        "public_archive_file_dir": "/var/lib/mailman/archives/public",
        # Autoresponder
        "autorespond_postings": False,
        "autorespond_admin": False,
        "autorespond_requests": 0,
        "autoresponse_postings_text": "",
        "autoresponse_admin_text": "",
        "autoresponse_request_text": "",
        "autoresponse_graceperiod": 90,
        "postings_responses": {},
        "admin_responses": {},
        "request_responses": {},
        # Bouncer
        "bounce_processing": True,
        "bounce_score_threshold": 5.0,
        "bounce_info_stale_after": 604800,
        "bounce_you_are_disabled_warnings": 3,
        "bounce_you_are_disabled_warnings_interval": 604800,
        "bounce_unrecognized_goes_to_list_owner": True,
        "bounce_notify_owner_on_bounce_increment": False,
        "bounce_notify_owner_on_disable": True,
        "bounce_notify_owner_on_removal": True,
        "bounce_info": {"dora@example.org": info("dora@example.org", 5.0, (2014, 5, 13), 2)},
        "delivery_status": {"dora@example.org": (4, 1400000000.25)},
        # Digester
        "digestable": True,
        "digest_is_default": 0,
        "mime_is_default_digest": 0,
        "digest_size_threshhold": 30,
        "digest_send_periodic": True,
        "next_post_number": 1,
        "digest_header": "",
        "digest_footer": "",
        "digest_volume_frequency": 1,
        "one_last_digest": {},
        "digest_members": {"carl@example.org": 0},
        "next_digest_number": 7,
        "volume": 2,
        "digest_last_sent_at": 0,
        # GatewayManager
        "nntp_host": "",
        "linked_newsgroup": "",
        "gateway_to_news": 0,
        "gateway_to_mail": 0,
        "news_prefix_subject_too": 1,
        "news_moderation": 0,
        "usenet_watermark": None,
        # of SecurityManager and TopicMgr
        "mod_password": None,
        "post_password": None,
        "topics": [],
        "topics_enabled": 0,
        "topics_bodylines_limit": 5,
        "topics_userinterest": {},
    }


if __name__ == "__main__":
    DATA = attributes(stand_in())  # type: ignore[no-untyped-call]
    with open(sys.argv[1], "wb") as file:  # noqa: PTH123  Python 2 has no pathlib
        importlib.import_module("cPickle").dump(DATA, file, 1)
