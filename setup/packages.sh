# Debian packages: which of a list are missing, and one apt-get call for exactly those.

# version_at_least HAVE WANT, for dotted numbers.
version_at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

# Probes of setup/apt.txt that look at a version.
cmake_is_new() { version_at_least "$(cmake --version 2>/dev/null | sed -n '1s/.* //p')" 3.25; }
cargo_is_new() {
  [ ! -f "$root/rust/Cargo.toml" ] || version_at_least "$(cargo --version 2>/dev/null | cut -d' ' -f2)" 1.87
}

is_installed() {
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# missing_packages LIST...: names of the packages of these lists that are neither installed nor made needless by their probe.
missing_packages() {
  for list in "$@"; do
    while read -r package probe; do
      case $package in '' | '#'*) continue ;; esac
      if is_installed "$package"; then continue; fi
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

# Lines "dlstatus:N:PERCENT:TEXT" (fetching) and "pmstatus:PACKAGE:PERCENT:TEXT" (unpacking) of apt become progress; the
# rest goes to the log.
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
  apt_get install -q -y --no-install-recommends -o APT::Status-Fd=1 $missing 2>>"$log" </dev/null |
    show_apt_progress "$log"
  still_missing=$(missing_packages "$@")
  if [ -n "$still_missing" ]; then
    log_tail "$log" >&2
    fail "apt-get could not install: $still_missing (whole log: $log). Check the network and the package sources, then run the same command again" \
      "apt-get 未能安装：$still_missing（完整日志：$log）。请检查网络与软件源后重试同一命令"
  fi
}
