"""What people ask a list for by mail: to join, to leave, to change how they read, for help.

Letters    Each answer is one Letter however many commands a mail has: `Letter.text` then names
           several texts, separated by spaces ("which help"), each with the same `fields`.
           Texts and the fields they are given:
               help, echo, not_understood, third_party, list_closed, already_member, not_member,
               welcome, goodbye, token_unknown, token_expired, token_used     none
               confirm_join, confirm_leave, confirm_mail_on, confirm_mail_off, not_confirmed
                                                        token, days (the token's life)
               which                                    lists (addresses, one a line)
               settings_changed                         mail ("on" or "off")
           `Letter.reply_to` is where a plain Reply confirms; where only a Subject can carry the
           token (sub_address none), `Letter.subject` is "confirm TOKEN".
"""
