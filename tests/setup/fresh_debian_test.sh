#!/bin/bash
# The two commands on machines that have nothing yet, made by debootstrap from this machine's own package mirror:
#
#   root      Debian 12 with git only: ./pingti serve as root until a question is answered; the second start; ./pingti package
#   user      the same as a user with sudo
#   deb       the .deb without compiler and network: dpkg, the unit, doctor, serve as the service's user, remove, purge
#   portable  the tar.gz on Debian 11, without network
#
# Arguments: the source folder (its last commit is what is tried), then the parts (all). PINGTI_FRESH_FOLDER: where the
# machines are made (2 GB each; kept when named, so that a part can be tried again). PINGTI_FRESH_CCACHE: a folder of ccache
# to share, for a quicker run.
set -eu
source_folder=$1
shift
parts=${*:-root user deb portable}
port=18471
folder=${PINGTI_FRESH_FOLDER:-}
pids=

skip() {
  echo "SKIP: $1"
  exit 77
}
fail() {
  echo "fresh_debian_test: $1"
  exit 1
}
say() { echo "[$SECONDS s] $1"; }

for tool in debootstrap unshare chroot git curl ip; do
  command -v $tool >/dev/null || skip "no $tool here"
done
[ "$(id -u)" = 0 ] || skip "making a machine needs root"
unshare --mount --pid --fork --net true 2>/dev/null || skip "this system gives no namespaces"
# "SITE RELEASE" of each Debian source of this machine: the mirror that it trusts.
sites=$(apt-get indextargets --format '$(SITE) $(RELEASE)' 'Created-By: Packages' 2>/dev/null | grep -E ' bookworm(-updates|-security)?$' | sort -u) ||
  skip "this machine has no Debian 12 mirror"
mirror=$(echo "$sites" | sed -n 's/ bookworm$//p' | head -n 1)
[ -n "$mirror" ] || skip "this machine has no Debian 12 mirror"

if [ -z "$folder" ]; then
  folder=$(mktemp -d /var/tmp/pingti-fresh-XXXXXX)
  trap 'stop_all; rm -rf --one-file-system "$folder"' EXIT
else
  mkdir -p "$folder"
  trap stop_all EXIT
fi
ccache_folder=${PINGTI_FRESH_CCACHE:-$folder/ccache}
mkdir -p "$ccache_folder"

# first_of PID: the first process of a machine that `inside` started as PID (unshare itself takes no signal).
first_of() { pgrep -P "$1" | head -n 1; }

# Servers end as an operator ends them; who does not, is ended.
stop_all() {
  for pid in $pids; do
    kill "$(first_of "$pid")" 2>/dev/null || true
    for _ in $(seq 100); do
      if ! kill -0 "$pid" 2>/dev/null; then continue 2; fi
      sleep 0.1
    done
    kill -KILL "$(first_of "$pid")" || true
    echo "a server did not end on SIGTERM"
  done
  pids=
}

# What the network of this machine asks of a program: proxies and where packages come from.
network_variables() {
  env | grep -iE '^(https?_proxy|no_proxy|all_proxy|pip_(index_url|extra_index_url|trusted_host|cert|default_timeout)|cargo_(http|registries|source)_[a-z_]*|npm_config_registry)=' || true
}

# inside ROOT COMMAND...: in that machine, with processes and mounts of its own; NETWORK=none: without network either. Runs
# in the foreground of its caller, and all of it ends with it.
inside() {
  local unshared="--mount --pid --fork --kill-child"
  if [ "${NETWORK:-}" = none ]; then unshared="$unshared --net"; fi
  local variables
  mapfile -t variables < <(network_variables)
  # shellcheck disable=SC2086 # the options are words
  exec unshare $unshared bash -c '
    root=$1 ccache=$2
    shift 2
    ip link set lo up
    mount -t proc proc "$root/proc"
    mount --rbind /sys "$root/sys"
    mount --rbind /dev "$root/dev"
    mount -t tmpfs tmpfs "$root/tmp"
    mkdir -p "$root/ccache"
    mount --bind "$ccache" "$root/ccache"
    exec env -i HOME=/root LANG=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
      CCACHE_DIR=/ccache CCACHE_UMASK=000 CCACHE_BASEDIR=/srv CCACHE_NOHASHDIR=1 chroot "$root" env "$@"' \
    inside "$1" "$ccache_folder" "${variables[@]}" "${@:2}"
}

# make_machine NAME RELEASE PACKAGES: a bare system; made once, then copied.
make_machine() {
  local base=$folder/$2
  if [ ! -e "$base.done" ]; then
    rm -rf --one-file-system "$base"
    timeout 600 debootstrap --variant=minbase --include="$3" "$2" "$base" "$mirror" >"$folder/$2.log" 2>&1 ||
      skip "debootstrap could not make $2 from this machine's mirror: $(tail -n 1 "$folder/$2.log" | sed -E 's#[a-z]+://[^ ]*#(address)#g')"
    touch "$base.done"
  fi
  machine=$folder/$1
  say "$1 is made"
  rm -rf --one-file-system "$machine"
  cp -a --reflink=auto "$base" "$machine"
  cp -L /etc/resolv.conf "$machine/etc/resolv.conf"
  cp -r /usr/local/share/ca-certificates "$machine/usr/local/share/" # an office's own, if there is one
  if [ -f /etc/pip.conf ]; then cp /etc/pip.conf "$machine/etc/"; fi
  apt-config dump | grep -E '^Acquire::https?::Proxy' >"$machine/etc/apt/apt.conf.d/90proxy" || true
}

# A Debian 12 as its installer leaves it, with git, and with this repository to clone.
make_debian12() {
  make_machine "$1" bookworm git,sudo,systemd
  echo "$sites" | sed -E 's/(.*) (.*)/deb \1 \2 main/' >"$machine/etc/apt/sources.list"
  git -c safe.directory='*' -C "$source_folder" bundle create -q "$machine/srv/origin.bundle" HEAD
  chmod 777 "$machine/srv"
}

# start LOG COMMAND...: a server in the background, until it says where it listens.
start() {
  local log=$1
  : >"$log"
  "${@:2}" >>"$log" 2>&1 &
  pids="$pids $!"
  until grep -q "http://127.0.0.1:$port" "$log"; do
    kill -0 $! 2>/dev/null || { tail -n 30 "$log" && fail "the server did not start (${log##*/})"; }
    [ $SECONDS -lt 3000 ] || fail "no server after $SECONDS s"
    sleep 0.1
  done
}

# ask [COMMAND...]: one answer of 16 tokens, by a curl that COMMAND... runs.
ask() {
  local answer
  answer=$("$@" curl -sS -m 60 "http://127.0.0.1:$port/v1/chat/completions" -H 'Content-Type: application/json' \
    -d '{"messages": [{"role": "user", "content": "What is the capital of France?"}], "max_tokens": 16, "temperature": 0}')
  case $answer in *'"completion_tokens":16'*) ;; *) fail "an answer of 16 tokens was wanted, found: $answer" ;; esac
}

try_root() {
  make_debian12 root
  start "$folder/root.log" inside "$machine" sh -c \
    "git clone -q /srv/origin.bundle /srv/pingti && cd /srv/pingti && exec ./pingti serve --port $port"
  ask
  say "root: answered"
  stop_all
  grep -E 'installing|built' "$folder/root.log"
  local begin=${EPOCHREALTIME/./}
  start "$folder/root2.log" inside "$machine" /srv/pingti/pingti serve --port $port
  say "root: second start in $(((${EPOCHREALTIME/./} - begin) / 1000)) ms"
  grep -qE 'installing|configuring|building|fetching' "$folder/root2.log" && fail "the second start did work: $(cat "$folder/root2.log")"
  ask
  stop_all
  (inside "$machine" PINGTI_LANG=zh /srv/pingti/pingti package) >"$folder/package.out" 2>"$folder/package.log" ||
    { cat "$folder/package.log" && fail "./pingti package"; }
  say "root: packages are made"
  mkdir -p "$folder/dist"
  cp "$machine"/srv/pingti/dist/* "$machine"/root/.cache/pingti/models/*.gguf "$folder/dist/"
}

try_user() {
  make_debian12 user
  (inside "$machine" useradd --create-home --shell /bin/bash tester)
  echo 'tester ALL=(ALL) NOPASSWD: ALL' >"$machine/etc/sudoers.d/tester"
  start "$folder/user.log" inside "$machine" runuser -u tester -- env HOME=/home/tester sh -c \
    "git clone -q /srv/origin.bundle /srv/pingti && cd /srv/pingti && exec ./pingti serve --port $port"
  ask
  say "user: answered"
  stop_all
  [ -z "$(find "$machine/srv/pingti" "$machine/home/tester" -user root -print -quit)" ] || fail "root owns files of the user's checkout"
}

# The machine of the two packages: no network from here on.
copy_packages() {
  ls "$folder"/dist/pingti_*_amd64.deb >/dev/null 2>&1 || fail "the part root, which makes the packages, comes first"
  cp "$folder"/dist/* "$machine/srv/"
}

try_deb() {
  make_debian12 deb
  copy_packages
  NETWORK=none
  (inside "$machine" bash -e -c '
    ! command -v cc clang-19
    dpkg -i /srv/pingti_*_amd64.deb
    getent passwd pingti | grep -q /var/lib/pingti:.*nologin
    systemd-analyze verify pingti.service
    systemd-analyze security --offline=yes --threshold=30 pingti.service | tail -n 1
    pingti --version
    runuser -u pingti -- pingti doctor
    install -d -o pingti -g pingti /var/lib/pingti /var/lib/pingti/models /var/cache/pingti # as the unit has systemd do it
    cp /srv/*.gguf /var/lib/pingti/models/
    echo "model = \"$(ls /var/lib/pingti/models/*.gguf)\"" | sed -i "/^\[model\]/r /dev/stdin" /etc/pingti/pingti.toml
  ') >"$folder/deb.log" 2>&1 || { cat "$folder/deb.log" && fail "the .deb"; }
  port=8080
  # shellcheck disable=SC2016 # expands inside
  start "$folder/deb-serve.log" inside "$machine" bash -c '
    unit() { sed -n "s/^$1=//p" /lib/systemd/system/pingti.service; }
    cd /var/lib/pingti && exec runuser -u "$(unit User)" -- env $(unit Environment) $(unit ExecStart)'
  ask nsenter --net --target "$(first_of "${pids##* }")"
  say "deb: answered"
  stop_all
  (inside "$machine" bash -e -c '
    dpkg --remove pingti
    [ ! -e /usr/bin/pingti ] && [ -f /etc/pingti/pingti.toml ]
    dpkg --purge pingti
    [ ! -e /etc/pingti ] && [ ! -e /var/cache/pingti ] && ls /var/lib/pingti/models/*.gguf
    ! find / -xdev -iname "*pingti*" -not -path "/srv/*" -not -path "/proc/*" | grep -v "^/var/lib/pingti\$"
    dpkg -i /srv/pingti_*_amd64.deb && pingti --version
  ') >"$folder/deb-purge.log" 2>&1 || { cat "$folder/deb-purge.log" && fail "remove, purge, and again"; }
  NETWORK=
}

try_portable() {
  make_machine portable bullseye bash
  copy_packages
  NETWORK=none
  (inside "$machine" bash -e -c '
    tar -C /opt -xzf /srv/pingti-*-linux-x86_64.tar.gz
    ln -s /opt/pingti-*/pingti /usr/local/bin/pingti
    ldd --version | head -n 1
    pingti --version
    pingti doctor
    pingti run -m /srv/*.gguf --temperature 0 --max-tokens 16 "What is the capital of France?" | grep .
  ') >"$folder/portable.log" 2>&1 || { cat "$folder/portable.log" && fail "the portable archive"; }
  port=18472
  start "$folder/portable-serve.log" inside "$machine" sh -c "exec pingti serve --port $port -m /srv/*.gguf"
  ask nsenter --net --target "$(first_of "${pids##* }")"
  say "portable: answered on $(head -n 1 "$folder/portable.log")"
  stop_all
  NETWORK=
}

for part in $parts; do
  say "part $part"
  "try_$part"
done
say "all good"
