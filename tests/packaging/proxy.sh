#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# proxy.sh nginx|mirror|haproxy BIN_DIR TREE: the shipped example in front of Deskbell, changed only where it says HERE.
# A conversation is played whose webhooks come over TLS 1.3 with a checked certificate; then what must not pass is tried.
# The sandbox sends plain HTTP, so a server of this test stands between: it speaks TLS to the example, as Freshworks does.
# "mirror" is the nginx example with its last part switched on: another program has Freshchat's one address.
set -euo pipefail
kind=$1 bin=$2 tree=$3
PATH=$PATH:/usr/sbin
for program in nginx openssl curl; do
    command -v $program >/dev/null || { echo "SKIPPED: $program is not installed"; exit 77; }
done
[ $kind != haproxy ] || command -v haproxy >/dev/null || { echo "SKIPPED: haproxy is not installed"; exit 77; }

work=$(mktemp -d /tmp/deskbell-proxy.XXXXXX)
pids=()
finish() {
    code=$?
    for pid in "${pids[@]}"; do kill -TERM "$pid" 2>/dev/null || true; done
    for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
    [ $code = 0 ] || tail -n 40 "$work"/*.log
    rm -rf "$work"
    exit $code
}
trap finish EXIT
trap 'exit 1' INT TERM HUP
die() {
    echo "FAILED: $*" >&2
    exit 1
}

# An address of our own: nobody else's ports are in the way.
address=127.89.$((($$ / 250) % 250)).$(($$ % 250 + 1))
name=desk.example.com
mkdir -m 0700 "$work/state" "$work/run" "$work/secrets" "$work/t"

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/CN=$name" \
    -addext "subjectAltName=DNS:$name,IP:$address" -keyout "$work/key.pem" -out "$work/cert.pem" 2>/dev/null
cat "$work/cert.pem" "$work/key.pem" >"$work/both.pem"

# ---- the example, with the lines marked HERE made ours
if [ "$kind" = haproxy ]; then
    sed -e "s#bind :443 ssl crt /etc/haproxy/certs/[^ ]*#bind $address:8443 ssl crt $work/both.pem#" \
        -e "s#server local 127.0.0.1:8080#server local $address:8080#" \
        "$tree/packaging/proxy/haproxy.cfg" >"$work/haproxy.cfg"
    # Which TLS it was, told to the client; the example does not.
    sed -i "s#^    default_backend deskbell#    http-response set-header X-Tls %[ssl_fc_protocol]\n&#" "$work/haproxy.cfg"
    haproxy -c -f "$work/haproxy.cfg" >"$work/haproxy-check.log" 2>&1 || die "haproxy -c: $(cat "$work/haproxy-check.log")"
    ! grep -i warning "$work/haproxy-check.log" || die "haproxy -c warns"
    haproxy -db -f "$work/haproxy.cfg" >"$work/haproxy.log" 2>&1 &
    pids+=($!)
    : >"$work/deskbell.conf"
else
    sed -e "s#listen 443 ssl http2;#listen $address:8443 ssl http2;#" -e "s#server 127.0.0.1:8080;#server $address:8080;#" \
        -e "s#/etc/letsencrypt/live/$name/fullchain.pem#$work/cert.pem#" -e "s#/etc/letsencrypt/live/$name/privkey.pem#$work/key.pem#" \
        -e "s#server_tokens off;#& add_header X-Tls \$ssl_protocol always;#" -e "s#http://127.0.0.1:9000;#http://$address:9000;#" \
        "$tree/packaging/proxy/nginx.conf" >"$work/deskbell.conf"
    [ "$kind" != mirror ] || sed -i -e '/#location = \/hooks/,/^$/ s/^    #/    /' "$work/deskbell.conf"
fi
hook=/webhooks/freshchat
[ "$kind" != mirror ] || hook=/hooks/that-freshchat-knows

cat >"$work/nginx.conf" <<CONF
worker_processes 1;
daemon off;
pid $work/nginx.pid;
error_log $work/nginx.log warn;
$([ "$(id -u)" != 0 ] || echo "user root;")
events { worker_connections 256; }
http {
    client_body_temp_path $work/t/1; proxy_temp_path $work/t/2; fastcgi_temp_path $work/t/3;
    uwsgi_temp_path $work/t/4; scgi_temp_path $work/t/5;
    log_format how '\$upstream_http_x_tls \$request_method \$uri \$status';
    access_log off;
    include $work/deskbell.conf;
    server { # the internet's side
        listen $address:8081;
        access_log $work/access.log how;
        location / {
            proxy_pass https://$address:8443;
            proxy_http_version 1.1;
            proxy_ssl_protocols TLSv1.3;
            proxy_ssl_verify on;
            proxy_ssl_trusted_certificate $work/cert.pem;
            proxy_ssl_name $name;
            proxy_set_header Host $name;
        }
    }
    server { # the other program
        listen $address:9000;
        access_log $work/other.log;
        location / { return 200 "taken"; }
    }
}
CONF
nginx -t -c "$work/nginx.conf" >"$work/nginx-check.log" 2>&1 || die "nginx -t: $(cat "$work/nginx-check.log")"
! grep -F '[warn]' "$work/nginx-check.log" || die "nginx -t warns"
nginx -c "$work/nginx.conf" >"$work/nginx-out.log" 2>&1 &
pids+=($!)

# ---- sandbox and Deskbell
"$bin/deskbell-sandbox" --listen "$address:0" --state "$work/secrets" --limit 20000 --play \
    --ready-url "http://$address:9464/readyz" --freshchat-webhook "http://$address:8081$hook" \
    --freshdesk-webhook "http://$address:8081/webhooks/freshdesk" >"$work/sandbox.log" 2>&1 &
player=$!
pids+=("$player")
tries=300
until [ -s "$work/secrets/url" ]; do
    [ $((tries -= 1)) -gt 0 ] || die "the sandbox does not start"
    sleep 0.1
done
url=$(cat "$work/secrets/url")
cat >"$work/d.conf" <<CONF
state_dir = "$work/state"
runtime_dir = "$work/run"
front { listen = "$address:8080"  admin_listen = "$address:9464" }
freshchat {
    api_url = "$url/v2"  token_file = "$work/secrets/freshchat.token"
    webhook_key_files = {"$work/secrets/freshchat-webhook.pem"}  agent_id = "$(cat "$work/secrets/freshchat.agent")"
    ca_file = "$work/cert.pem"
}
freshdesk {
    api_url = "$url/api/v2"  key_file = "$work/secrets/freshdesk.key"
    webhook_token_files = {"$work/secrets/freshdesk-webhook.token"}
}
freshcaller { phone_number = "+31 20 123 45 67" }
widget { call_back = true }
CONF
"$bin/deskbelld" -c "$work/d.conf" >"$work/deskbelld.log" 2>&1 &
daemon=$!
pids+=("$daemon")

code=0
wait -n "$player" "$daemon" || code=$?
kill -0 "$daemon" 2>/dev/null || die "deskbelld left by itself"
[ $code = 0 ] || die "the conversation was not played to its end"
grep -q 'ticket created' "$work/sandbox.log" || die "no ticket"
grep -q 'reached chat' "$work/sandbox.log" || die "no reply in the chat"
# Every webhook that came in came over TLS 1.3 and was taken.
if [ "$kind" = mirror ]; then
    grep -q "POST $hook" "$work/other.log" || die "the other program got no webhook"
    grep -qx "TLSv1.3 POST $hook 200" "$work/access.log" || die "no webhook over TLS 1.3: $(cat "$work/access.log")"
else
    grep -qx "TLSv1.3 POST /webhooks/freshchat 200" "$work/access.log" || die "no webhook over TLS 1.3: $(cat "$work/access.log")"
fi
grep -qx "TLSv1.3 POST /webhooks/freshdesk 200" "$work/access.log" || die "no hint over TLS 1.3: $(cat "$work/access.log")"

# ---- what doctor says of the way from outside in; the sandbox is gone, so other things are wrong
"$bin/deskbellctl" -c "$work/d.conf" doctor --public-url "https://$address:8443" >"$work/doctor.log" 2>&1 || true
[ "$(grep -cE '^ok +public address .*answers, and refuses a wrong delivery' "$work/doctor.log")" = 2 ] || die "doctor: $(cat "$work/doctor.log")"
! grep -E '^(FAIL|warn) +(public|admin) address' "$work/doctor.log" || die "doctor fails the example"

# ---- what must not pass
answer() { # CODES CURL-ARGUMENT... PATH: the status must be one of CODES
    local codes=$1 got path=${*: -1}
    got=$(curl -sS -m 20 --noproxy '*' --cacert "$work/cert.pem" --resolve "$name:8443:$address" -o /dev/null -w '%{http_code}' \
        "${@:2:$#-2}" "https://$name:8443$path") || true
    [[ " $codes " == *" $got "* ]] || die "$path with ${*:2:$#-2}: $got, not $codes"
}
head -c 1100000 /dev/zero >"$work/large"
for version in --tlsv1.3 "--tls-max 1.2"; do
    # shellcheck disable=SC2086 # two words
    answer "401" $version -H 'Content-Type: application/json' -d '{"actor":1}' /webhooks/freshchat
done
for path in / /metrics /status /healthz /readyz /webhooks /webhooks/freshchat/x /webhooks/other /deskbell-mirror; do
    answer 404 -X POST -d '{}' "$path"
done
answer 405 /webhooks/freshchat
for path in /widget.js /callback.js /support; do
    answer 200 "$path"
    answer 405 -X POST -d '{}' "$path"
done
answer 405 /callback
answer 403 -H 'Content-Type: application/json' -H 'Origin: https://elsewhere.example' -d '{}' /callback
answer 200 -H 'Content-Type: application/json' -H "Origin: https://shop.$name" -H 'Sec-Fetch-Site: same-site' -d '{"id":"through-proxy","phone":"+31201234567"}' /callback
# HAProxy closes behind this answer without reading the rest. Over HTTP/2 curl then tells of the cancelled stream only, and
# while it is still sending it may tell of the broken pipe only: so HTTP/1.1, and slow enough to look between two pieces.
answer "413 431" --http1.1 --limit-rate 200k -H 'Content-Type: application/json' -H 'Expect:' --data-binary "@$work/large" /webhooks/freshchat
code=0
curl -sS -m 20 --noproxy '*' --cacert "$work/cert.pem" --resolve "$name:8443:$address" --tls-max 1.1 --ciphers DEFAULT@SECLEVEL=0 \
    "https://$name:8443/" >"$work/old-tls.log" 2>&1 || code=$?
[ $code = 35 ] || die "TLS 1.1 was not refused (curl $code)"
echo "played over TLS 1.3: $(grep -c '^TLSv1.3 POST' "$work/access.log") requests"
