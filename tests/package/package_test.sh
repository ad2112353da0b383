#!/bin/sh
# The two packages hold what they should, and the portable one runs with an empty environment, in a bare folder as its root
# where this user may do that. Argument: the source folder, whose release build is there.
set -eu
root=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

fail() {
  echo "package_test: $1"
  exit 1
}

if ! command -v dpkg-deb >/dev/null || ! dpkg-query -W libc6 >/dev/null 2>&1; then
  echo "SKIP: packages are made on Debian (no dpkg-deb here)"
  exit 77
fi
"$root/pingti" package --no-build --output "$folder" >/dev/null
deb=$(ls "$folder"/pingti_*_amd64.deb)
archive=$(ls "$folder"/pingti-*-linux-x86_64.tar.gz)

dpkg-deb -c "$deb" >"$folder/contents"
for wanted in ./usr/bin/pingti ./lib/systemd/system/pingti.service ./usr/lib/sysusers.d/pingti.conf ./etc/pingti/pingti.toml \
  ./usr/share/bash-completion/completions/pingti ./usr/share/zsh/vendor-completions/_pingti \
  ./usr/share/fish/vendor_completions.d/pingti.fish ./usr/share/doc/pingti/copyright; do
  grep -q " $wanted\$" "$folder/contents" || fail "the .deb lacks $wanted"
done
! grep -q '\.gguf' "$folder/contents" || fail "the .deb carries a model"
grep -vq 'root/root' "$folder/contents" && fail "the .deb has files that root does not own"
dpkg-deb -f "$deb" Depends | grep -q 'libc6' || fail "the .deb does not depend on libc6"
mkdir "$folder/deb"
dpkg-deb -x "$deb" "$folder/deb"
env -i "$folder/deb/usr/bin/pingti" --version >"$folder/version" || fail "the .deb's binary does not run"

tar -C "$folder" -xzf "$archive"
portable=$(ls -d "$folder"/pingti-*-linux-x86_64)
env -i "$portable/pingti" --version >"$folder/portable-version" || fail "the portable binary does not run"
cmp -s "$folder/version" "$folder/portable-version" || fail "the two packages are of different versions"
if [ "$(id -u)" = 0 ] && chroot / true 2>/dev/null; then
  env -i "$(command -v chroot)" "$portable" /lib/ld-linux-x86-64.so.2 --library-path /lib /bin/pingti --version >/dev/null ||
    fail "the portable binary needs a library of this system"
fi
ls -l "$deb" "$archive"
