#!/bin/sh
# Builds ../priv/bin/mqtt_rollup from its own sources; called by the Makefile beside it, which says what is left where.
set -u
LC_ALL=C
export LC_ALL
unset MAKEFLAGS MFLAGS MAKELEVEL
umask 022

cd "$(dirname "$0")/.." || exit 1
root=$(pwd)
priv=$root/priv
log=$priv/build.log

mkdir -p "$priv/bin" || exit 1
rm -f "$priv/BUILD_FAILED" "$priv/bin/mqtt_rollup"

# A compiler that is interrupted leaves its temporary files: here they go with the build, or before the next one.
TMPDIR=$root/_build/tmp
export TMPDIR
rm -rf "$TMPDIR"
mkdir -p "$TMPDIR"

# As many jobs as cores, but no more than there is memory for.
jobs=$(nproc 2>/dev/null || echo 1)
kilobytes=$(sed -n 's/^MemAvailable: *\([0-9]*\) kB/\1/p' /proc/meminfo 2>/dev/null)
[ $((${kilobytes:-99999999} / 1000000)) -lt "$jobs" ] && jobs=$((kilobytes / 1000000))
[ "$jobs" -ge 1 ] || jobs=1

build() {
    launcher=$(command -v ccache) || launcher=
    cmake -S "$root" -B "$root/_build" -G "Unix Makefiles" \
        -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_FLAGS_RELEASE="-O2 -DNDEBUG" \
        -DCMAKE_CXX_COMPILER_LAUNCHER="$launcher" \
        -DCMAKE_RUNTIME_OUTPUT_DIRECTORY="$root/_build/bin" &&
        cmake --build "$root/_build" --target mqtt_rollup -j "$jobs" &&
        "$root/_build/bin/mqtt_rollup" --version &&
        cp "$root/_build/bin/mqtt_rollup" "$priv/bin/mqtt_rollup"
}

# The packages that are not installed, or all of them where dpkg cannot say.
missing_packages() {
    sed '/^#/d' "$root/cmake/packages-program.txt" | while read -r package; do
        status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)
        [ "$status" = installed ] || printf ' %s' "$package"
    done
}

build >"$log" 2>&1
result=$?
rm -rf "$TMPDIR"
[ "$result" -eq 0 ] && exit 0

rm -f "$priv/bin/mqtt_rollup"
missing=$(missing_packages)
{
    echo "The program mqtt_rollup could not be built."
    if [ -n "$missing" ]; then
        echo "Missing packages:$missing"
        echo "Remedy: apt-get install --no-install-recommends$missing"
        echo "        and then: ejabberdctl --no-timeout module_upgrade mod_mqtt_rollup"
    else
        echo "First error: $(grep -m 1 -E 'error: |CMake Error|No space left|: not found|command not found' "$log")"
        if grep -q 'Killed signal' "$log"; then
            echo "The compiler was killed, perhaps for want of memory: it needs 1 GB for each of $jobs jobs."
        fi
        echo "Remedy: after mending it, ejabberdctl --no-timeout module_upgrade mod_mqtt_rollup"
    fi
    echo "The whole output is in $log"
} >"$priv/BUILD_FAILED"
cat "$priv/BUILD_FAILED" >&2
exit 1
