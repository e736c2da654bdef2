#!/bin/sh
# Save what a Mailman 3 knows as its REST API tells it, for `postroad import mailman3 FOLDER`.
#
#   REST=restadmin:restpass sh mailman3-export.sh FOLDER [http://localhost:8001/3.1]
#
# REST is admin_user:admin_pass of [webservice] in mailman.cfg. Needs only curl, grep and sed;
# changes nothing in Mailman. The folder holds every member's address: keep it to yourself.
set -eu
folder=${1:?name a folder for the answers}
api=${2:-http://localhost:8001/3.1}
: "${REST:?set REST to admin_user:admin_pass of [webservice] in mailman.cfg}"
umask 077
mkdir -p "$folder"

# Reads lines `path file` and saves each answer; one curl for all, the password in no argument.
save() {
    {
        printf 'user = "%s"\nfail\nsilent\nshow-error\ncreate-dirs\n' "$REST"
        while read -r path file; do
            printf 'url = "%s/%s"\noutput = "%s/%s"\n' "$api" "$path" "$folder" "$file"
        done
    } | curl --config -
}

# The values of one key in saved answers, each once.
values() {
    key=$1
    shift
    cat "$@" | grep -o "\"$key\": *\"[^\"]*\"" | sed 's/.*: *"//; s/"$//' | sort -u
}

save <<EOS
lists lists.json
users users.json
addresses addresses.json
bans bans.json
EOS
lists=$(values list_id "$folder/lists.json" || true)
for list in $lists; do
    for part in config roster/member roster/owner roster/moderator roster/nonmember bans \
        header-matches uris; do
        echo "lists/$list/$part lists/$list/$part.json"
    done
done | save
for list in $lists; do
    for member in $(values member_id "$folder/lists/$list/roster/"*.json || true); do
        echo "members/$member/all/preferences members/$member.json"
    done
done | save
echo "saved $(echo "$lists" | grep -c .) lists to $folder"
