#!/bin/sh
# Compiles the program in a chroot of another Debian with that Debian's packages, and runs its C++ tests there.
#   tests/compat.sh [SUITE...]       default: trixie (Debian 13) and forky
# As root. Chroots, packages and objects are kept below build/compat, so a second run only compiles what changed. What must be there to
# begin with is debootstrap and a mirror (MIRROR, by default Debian's). Prints one line a suite; the logs are beside the chroots.
set -eu
cd "$(dirname "$0")/.."
here=$PWD/build/compat
mirror=${MIRROR:-http://deb.debian.org/debian}
PATH=$PATH:/usr/sbin:/sbin

fail() { echo "compat: $*" >&2; exit 1; }
[ "$(id -u)" -eq 0 ] || fail "needs root, for the chroots: sudo make compat"
command -v debootstrap >/dev/null || fail "debootstrap is missing: apt-get install debootstrap"

# in_chroot ROOT COMMAND: with mounts that end with the command, so that nothing of this machine is left below build/.
in_chroot() {
    root=$1
    shift
    unshare --mount --propagation private sh -euc '
        root=$1
        shift
        mount -t proc proc "$root/proc"
        mount --rbind /dev "$root/dev"
        exec chroot "$root" "$@"' sh "$root" env -i LC_ALL=C.UTF-8 HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin \
        DEBIAN_FRONTEND=noninteractive "$@"
}

bootstrap() {
    suite=$1 root=$2
    [ ! -e "$root/.complete" ] || return 0
    rm -rf "$root"
    mkdir -p "$here/packages/$suite"
    # A suite that is newer than debootstrap has no script of its own.
    script=
    [ -e "/usr/share/debootstrap/scripts/$suite" ] || script=sid
    # It leaves /proc mounted there, which must not outlast it.
    unshare --mount --propagation private \
        debootstrap --variant=minbase --cache-dir="$here/packages/$suite" "$suite" "$root" "$mirror" $script
    # Services of packages do not start in a chroot, and packages stay for the next time.
    printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
    chmod 755 "$root/usr/sbin/policy-rc.d"
    rm -f "$root/etc/apt/apt.conf.d/docker-clean"
    touch "$root/.complete"
}

# A copy, no mount: `make clean` below a mount would delete the sources.
copy_sources() {
    mkdir -p "$1/src"
    for folder in c_src cmake proto tests bench erl ejabberd docs; do
        # Same times, so only what changed is compiled; what was deleted goes.
        rm -rf "$1/src/$folder"
        cp -a "$folder" "$1/src/"
    done
    cp -a CMakeLists.txt CMakePresets.json COPYING Makefile rebar.config "$1/src/"
}

compile_and_test() {
    suite=$1 root=$2
    copy_sources "$root"
    # What `make deps` does.
    in_chroot "$root" sh -c 'cd /src && cmake/install-packages.sh cmake/packages-*.txt'
    in_chroot "$root" sh -euc '
        cd /src
        # With the warnings that are errors, so that those of a newer compiler are seen.
        cmake --preset dev -DCMAKE_CXX_FLAGS_RELWITHDEBINFO="-O1"
        cmake --build --preset dev --parallel
        build/dev/c_src/app/mqtt_rollup --version
        ctest --preset dev --parallel "$(nproc)"'
}

mkdir -p "$here"
[ $# -gt 0 ] || set -- trixie forky
failed=0
for suite in "$@"; do
    log=$here/$suite.log
    # Not as the condition of an `if`, where -e would not count.
    set +e
    (set -e; bootstrap "$suite" "$here/$suite/root"; compile_and_test "$suite" "$here/$suite/root") >"$log" 2>&1 </dev/null
    code=$?
    set -e
    if [ "$code" -eq 0 ]; then
        echo "compat: $suite passed"
    else
        failed=1
        tail -n 60 "$log"
        echo "compat: $suite failed (all of it: $log)"
    fi
done
exit $failed
