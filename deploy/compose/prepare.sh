#!/bin/sh
# Secrets and a certificate for deploy/compose.yml, beside this file; what is there stays. sh prepare.sh HOST
# The certificate is signed by itself: for clients that are not yours put one of an authority in its place.
set -eu
host=${1:?usage: sh prepare.sh HOST}
cd "$(dirname "$0")"
umask 077
mkdir -p secrets certs
chmod 0700 secrets certs
secret() { # NAME BYTES: random, readable by the containers' users; the folder keeps others out
  [ -s "secrets/$1" ] || openssl rand -hex "$2" >"secrets/$1"
  chmod 0644 "secrets/$1"
}
secret secretkey 32
secret admin_password 12
secret database_password 24
secret s3_accesskey 10
secret s3_secretkey 20
printf 'postgresql://dataforge:%s@database/dataforge\n' "$(cat secrets/database_password)" >secrets/database_url
chmod 0644 secrets/database_url
case $host in *[!0-9.]*) kind=DNS ;; *) kind=IP ;; esac
[ -s certs/tls.crt ] || openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 365 \
  -subj "/CN=$host" -addext "subjectAltName=$kind:$host" -keyout certs/tls.key -out certs/tls.crt 2>/dev/null
echo "secrets/ and certs/ are ready; the administrator is admin with the password in secrets/admin_password"
