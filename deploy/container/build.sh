#!/bin/sh
# Lays out what the container image is made of, from the archive that `./pingti package` makes:
#   deploy/container/build.sh dist/pingti-VERSION-linux-x86_64.tar.gz FOLDER
#   docker build -t pingti FOLDER        # or podman; needs no registry
set -eu
[ $# = 2 ] || {
  sed -n '2,4s/^# \{0,1\}//p' "$0" >&2
  exit 2
}
archive=$1
folder=$2
here=$(dirname -- "$(readlink -f -- "$0")")
rootfs=$folder/rootfs

rm -rf "$rootfs"
mkdir -p "$rootfs/etc/ssl/certs" "$rootfs/models" "$rootfs/cache" "$rootfs/tmp" "$rootfs/proc" "$rootfs/sys"
tar -C "$rootfs" --strip-components=1 -xzf "$archive"
rm "$rootfs/pingti" # a shell script, and there is no shell
chmod 1777 "$rootfs/tmp"
chmod 0777 "$rootfs/cache" "$rootfs/models"
echo 'pingti:x:65532:65532::/cache:/sbin/nologin' >"$rootfs/etc/passwd"
echo 'pingti:x:65532:' >"$rootfs/etc/group"
cp /etc/ssl/certs/ca-certificates.crt "$rootfs/etc/ssl/certs/"
cp "$here/Dockerfile" "$folder/Dockerfile"
