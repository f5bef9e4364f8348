#!/bin/sh
# Writes the directory that `ejabberdctl module_install mod_mqtt_rollup` takes: real files, no links, sources only.
#   ejabberd/package.sh [directory, default build/contrib/mod_mqtt_rollup]
set -eu
cd "$(dirname "$0")/.."
target=${1:-build/contrib/mod_mqtt_rollup}

# Everything must be there before the old directory goes.
for file in COPYING CMakeLists.txt proto/CMakeLists.txt cmake/packages-program.txt ejabberd/README.md \
    ejabberd/mod_mqtt_rollup.spec ejabberd/conf/mod_mqtt_rollup.yml erl/src/mod_mqtt_rollup.erl c_src/app/CMakeLists.txt; do
    [ -f "$file" ] || { echo "package.sh: $file is missing" >&2; exit 1; }
done

rm -rf "$target"
umask 022
mkdir -p "$target/src" "$target/conf" "$target/c_src"
cp COPYING CMakeLists.txt ejabberd/mod_mqtt_rollup.spec "$target/"
cp ejabberd/conf/mod_mqtt_rollup.yml "$target/conf/"
# 23.01's module_check asks for README.txt, newer ones for README.md.
cp ejabberd/README.md "$target/README.md"
cp ejabberd/README.md "$target/README.txt"
cp erl/src/*.erl "$target/src/"
for header in erl/include/*.hrl; do
    [ -f "$header" ] || continue
    mkdir -p "$target/include"
    cp "$header" "$target/include/"
done
find c_src proto cmake -type f \
    \( -name '*.cc' -o -name '*.h' -o -name '*.proto' -o -name '*.cmake' -o -name CMakeLists.txt \
    -o -name packages-program.txt \) | while read -r file; do
    mkdir -p "$target/$(dirname "$file")"
    cp "$file" "$target/$file"
done
cp ejabberd/c_src/Makefile ejabberd/c_src/build.sh "$target/c_src/"
find "$target" -type f -exec chmod 644 {} +
echo "$target"
