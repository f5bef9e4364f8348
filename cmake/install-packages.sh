#!/bin/sh
# Installs the Debian packages that are missing, and only those; nothing is upgraded. Then checks the versions.
#   cmake/install-packages.sh LIST...        LIST: a file that names one package a line
set -eu
LC_ALL=C
export LC_ALL

say() { echo "deps: $*"; }
fail() { say "$*" >&2; exit 1; }

wanted=$(sed -e '/^#/d' -e '/^$/d' "$@")
missing=
if command -v dpkg-query >/dev/null && command -v apt-get >/dev/null; then
    installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' 2>/dev/null | sed -n 's/^installed //p')
    for package in $wanted; do
        echo "$installed" | grep -qxF "$package" || missing="$missing $package"
    done
else
    say "this is not Debian: nothing is installed, only versions are checked. Needed (Debian's names):"
    say $wanted
fi

# Services that come with the packages must not run: the tests and the demo start private ones.
services_to_hold() {
    for service in ejabberd mosquitto; do
        case " $missing " in *" $service "*) echo "$service" ;; esac
    done
}

install_missing() {
    as_root=
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || fail "not root and no sudo; run as root: apt-get install$missing"
        as_root=sudo
    fi
    held=$(services_to_hold)
    if [ -d /run/systemd/system ]; then
        for service in $held; do $as_root systemctl mask --runtime --quiet "$service.service" || true; done
    fi
    say "installing:$missing"
    failed=0
    $as_root apt-get update -q || say "apt-get update failed; trying with the package lists that are here"
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends --no-upgrade $missing ||
        failed=1
    for service in $held; do
        if [ -d /run/systemd/system ]; then
            $as_root systemctl unmask --runtime --quiet "$service.service" || true
            $as_root systemctl disable --quiet "$service.service" || true
        elif [ -x "/etc/init.d/$service" ]; then
            $as_root "/etc/init.d/$service" stop >/dev/null 2>&1 || true
        fi
        say "$service: its system service is neither started nor enabled (systemctl enable --now $service, if you want it)"
    done
    [ "$failed" -eq 0 ] ||
        fail "apt-get could not install the packages. Offline? A mirror must be reachable, or install them yourself:$missing"
}

[ -z "$missing" ] || install_missing

wrong=0
# need NAME LEAST FOUND: FOUND is empty if it is not there.
need() {
    if [ -z "$3" ]; then
        say "$1 is not installed; $2 or newer is needed" >&2
        wrong=1
    elif [ "$(printf '%s\n%s\n' "$2" "$3" | sort -V | head -n 1)" != "$2" ]; then
        say "$1 is $3; $2 or newer is needed" >&2
        wrong=1
    fi
}
first_number() { sed -n '1s/[^0-9]*\([0-9][0-9.]*\).*/\1/p'; }
listed() { echo "$wanted" | grep -qxF "$1"; }

listed g++ && need g++ 12 "$(g++ -dumpfullversion 2>/dev/null || true)"
listed cmake && need cmake 3.25 "$(cmake --version 2>/dev/null | first_number)"
listed libmosquitto-dev && need libmosquitto 2.0 "$(pkg-config --modversion libmosquitto 2>/dev/null || true)"
listed libsqlite3-dev && need sqlite3 3.35 "$(pkg-config --modversion sqlite3 2>/dev/null || true)"
listed libprotobuf-dev && need protobuf 3.21 "$(protoc --version 2>/dev/null | first_number)"
listed erlang-dev && need "Erlang/OTP" 25 \
    "$(erl -noshell -noinput -eval 'io:put_chars(erlang:system_info(otp_release)), halt().' 2>/dev/null || true)"
listed ejabberd && need ejabberd 23.01 \
    "$(ls -d /usr/lib/*/ejabberd-[0-9]* 2>/dev/null | sed 's/.*ejabberd-//' | sort -V | tail -n 1 | first_number)"
listed python3 && need python3 3.9 "$(/usr/bin/python3 --version 2>/dev/null | first_number)"
listed clang && need clang 14 "$(clang -dumpversion 2>/dev/null || true)"
[ "$wrong" -eq 0 ] || fail "versions above are too old (Debian 12 has all of them)"
