# Debian packages: which of a list are missing, and one apt-get call for exactly those.

# version_at_least HAVE WANT, for dotted numbers.
version_at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

# Probes of setup/apt.txt that look at a version.
cmake_is_new() { version_at_least "$(cmake --version 2>/dev/null | sed -n '1s/.* //p')" 3.25; }
cargo_is_new() { # one of those that cmake/rust.cmake chooses from
  wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$root/rust/Cargo.toml")
  for cargo in cargo /usr/bin/cargo "${HOME:-/root}/.cargo/bin/cargo"; do
    if version_at_least "$("$cargo" --version 2>/dev/null | cut -d' ' -f2)" "$wanted"; then return; fi
  done
  return 1
}

is_installed() {
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# missing_packages LIST...: names of the packages of these lists that are neither installed nor made needless by their probe.
missing_packages() {
  for list in "$@"; do
    while read -r package probe; do
      case $package in '' | '#'*) continue ;; esac
      case $probe in *_is_new) ;; *) if is_installed "$package"; then continue; fi ;; esac
      if [ -n "$probe" ] && $probe >/dev/null 2>&1; then continue; fi
      printf '%s ' "$package"
    done <"$root/$list"
  done
}

# as_root COMMAND...: directly, or through sudo.
as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

apt_get() { as_root env DEBIAN_FRONTEND=noninteractive LC_ALL=C apt-get -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 "$@"; }

# The same with apt's status lines alone on stdout. They need a descriptor of their own: apt closes the one that it is given
# for them before it runs dpkg, and a package's script fails when it writes to a closed stdout. It is opened on root's side
# because sudo passes the first three only.
apt_get_status() {
  as_root env DEBIAN_FRONTEND=noninteractive LC_ALL=C sh -c 'exec apt-get "$@" 3>&1 >&2' sh \
    -o APT::Status-Fd=3 -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 "$@"
}

# Lines "dlstatus:N:PERCENT:TEXT" (fetching) and "pmstatus:PACKAGE:PERCENT:TEXT" (unpacking) of apt become progress; others
# ("pmerror:...") go to the log.
show_apt_progress() {
  while IFS= read -r line; do
    case $line in
      *dlstatus:*) step=$(pick "fetching packages" "下载软件包") rest=${line##*dlstatus:} ;;
      *pmstatus:*) step=$(pick "installing packages" "安装软件包") rest=${line##*pmstatus:} ;;
      *) printf '%s\n' "$line" >>"$1" && continue ;;
    esac
    detail=${rest#*:*:}
    rest=${rest#*:}
    progress "$step ${rest%%[.:]*} %  ($detail)"
  done
  end_progress
}

# install_packages LIST...: one apt-get call for what is missing, nothing when nothing is.
install_packages() {
  if ! command -v dpkg-query >/dev/null 2>&1 || ! command -v apt-get >/dev/null 2>&1; then
    say "pingti: no apt here: the build uses what is installed (the list is $*)" "pingti：本机没有 apt，按现有软件构建（清单见 $*）"
    return
  fi
  missing=$(missing_packages "$@")
  missing=${missing% }
  if [ -z "$missing" ]; then return; fi
  if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null 2>&1; then
    fail "packages are missing and this user can not install them. Run as root: apt-get update && apt-get install -y --no-install-recommends $missing" \
      "缺少软件包，而当前用户无权安装。请以 root 执行：apt-get update && apt-get install -y --no-install-recommends $missing"
  fi
  say "installing: $missing" "正在安装：$missing"
  log=$logs/apt.log
  : >"$log"
  progress "$(pick "reading the package lists" "读取软件源清单")"
  apt_get update -q >>"$log" 2>&1 || true # stale lists may still do; the install says if not
  # shellcheck disable=SC2086 # the list is words
  apt_get_status install -q -y --no-install-recommends $missing 2>>"$log" </dev/null | show_apt_progress "$log"
  still_missing=$(missing_packages "$@")
  if [ -n "$still_missing" ]; then
    log_tail "$log" >&2
    fail "apt-get could not install: $still_missing (whole log: $log). Check the network and the package sources, then run the same command again" \
      "apt-get 未能安装：$still_missing（完整日志：$log）。请检查网络与软件源后重试同一命令"
  fi
}
