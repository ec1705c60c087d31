#!/bin/sh
# versitygw with its keys from files. A folder is a bucket.
set -eu
objects=${OBJECTS:-/objects} secrets=${SECRETS:-/run/secrets}
mkdir -p "$objects/wells"
ROOT_ACCESS_KEY=$(cat "$secrets/s3_accesskey")
ROOT_SECRET_KEY=$(cat "$secrets/s3_secretkey")
export ROOT_ACCESS_KEY ROOT_SECRET_KEY
exec versitygw --port "${LISTEN:-:7070}" --keep-alive --quiet posix "$objects"
