# ./pingti package [--no-build] [--output DIR]: dist/pingti_<version>_amd64.deb and dist/pingti-<version>-linux-x86_64.tar.gz.
# Neither carries a model; neither needs a compiler or a network where it is installed.

# Packages that every Debian 12 has; libraries of any other go into the .deb beside the binary.
base_packages="libc6 libgcc-s1 libssl3 libstdc++6 zlib1g"

version() { sed -n 's/^project(pingti VERSION \([0-9.]*\).*/\1/p' "$root/CMakeLists.txt"; }

# Shared libraries of the binary, one path a line, the loader among them.
libraries() { ldd "$binary" | sed -nE 's/.*(=> |^[[:space:]]*)(\/[^ ]+) \(0x.*/\2/p'; }

# owner PATH: the Debian package that a library came with.
owner() {
  for path in "$1" "/usr$1" "${1#/usr}"; do
    if name=$(dpkg-query -S "$path" 2>/dev/null); then
      echo "${name%%:*}"
      return
    fi
  done
  fail "no Debian package owns $1, which the binary needs" "可执行文件依赖的 $1 不属于任何 Debian 软件包"
}

# The Depends field: for each linked library what its own package says that a user of it needs (lines "name version
# dependency" in dpkg's .shlibs files).
dependencies() {
  libraries | grep -v '/ld-linux' | while read -r library; do
    package=$(owner "$library")
    case " $base_packages " in *" $package "*) ;; *) continue ;; esac
    file=$(basename "$library")
    needs=$(sed -n "s/^${file%.so.*} ${file##*.so.} //p" "/var/lib/dpkg/info/$package:amd64.shlibs" 2>/dev/null | head -n 1)
    echo "${needs:-$package}"
  done | sort -u | paste -sd, | sed -E 's/,/, /g; s/(libssl3 \(>= 3\.0)\.[0-9]+/\1.0/' # OpenSSL 3.0 is one interface
}

# carried: of the libraries, those that are in no base package.
carried() {
  libraries | while read -r library; do
    case " $base_packages " in *" $(owner "$library") "*) ;; *) echo "$library" ;; esac
  done
}

# copy_licences FOLDER: ours, and those of the libraries whose paths are on stdin.
copy_licences() {
  mkdir -p "$1"
  cp "$root/LICENSE" "$1/pingti"
  while read -r library; do
    package=$(owner "$library")
    cp "/usr/share/doc/$package/copyright" "$1/$package" 2>/dev/null || true
  done
}

# install_binary FOLDER: stripped, with its documents, under FOLDER.
install_binary() {
  mkdir -p "$1"
  DESTDIR='' cmake --install "$root/build/release" --prefix "$1" --strip >"$logs/install.log" 2>&1 || {
    log_tail "$logs/install.log" >&2
    fail "cmake --install failed (whole log: $logs/install.log)" "cmake --install 失败（完整日志：$logs/install.log）"
  }
}

completions() {
  mkdir -p "$1/bash-completion/completions" "$1/zsh/vendor-completions" "$1/fish/vendor_completions.d"
  "$binary" completion bash >"$1/bash-completion/completions/pingti"
  "$binary" completion zsh >"$1/zsh/vendor-completions/_pingti"
  "$binary" completion fish >"$1/fish/vendor_completions.d/pingti.fish"
}

# make_deb STAGE OUTPUT
make_deb() {
  debian=$root/deploy/debian
  install_binary "$1/usr"
  carried | while read -r library; do install -D -m 644 "$library" "$1/usr/lib/pingti/$(basename "$library")"; done
  completions "$1/usr/share"
  install -D -m 644 "$debian/pingti.service" "$1/lib/systemd/system/pingti.service"
  install -D -m 644 "$debian/sysusers.conf" "$1/usr/lib/sysusers.d/pingti.conf"
  install -D -m 644 "$debian/pingti.toml" "$1/etc/pingti/pingti.toml"
  carried | copy_licences "$1/usr/share/doc/pingti/licences"
  cp "$root/LICENSE" "$1/usr/share/doc/pingti/copyright"
  mkdir -p "$1/DEBIAN"
  install -m 755 "$debian/postinst" "$debian/prerm" "$debian/postrm" "$1/DEBIAN"
  echo /etc/pingti/pingti.toml >"$1/DEBIAN/conffiles"
  cat >"$1/DEBIAN/control" <<CONTROL
Package: pingti
Version: $(version)
Architecture: amd64
Maintainer: pingti developers <pingti@localhost>
Section: net
Priority: optional
Depends: $(dependencies)
Installed-Size: $(du -sk --exclude=DEBIAN "$1" | cut -f1)
Description: open language models on your own processors
 One binary: an inference engine for GGUF models, an OpenAI-compatible server and a console. No model is included.
CONTROL
  dpkg-deb --build --root-owner-group -Zxz -z3 "$1" "$2" >/dev/null
}

# make_portable STAGE OUTPUT: STAGE's last part is the folder's name in the archive.
make_portable() {
  install_binary "$1"
  mkdir -p "$1/lib"
  libraries | while read -r library; do cp -L "$library" "$1/lib/"; done
  completions "$1/share"
  libraries | copy_licences "$1/share/doc/pingti/licences"
  install -m 755 "$root/deploy/portable/pingti" "$1/pingti"
  tar -C "$(dirname "$1")" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" \
    -czf "$2" "$(basename "$1")"
}

main() {
  output=$root/dist
  no_build=
  while [ $# -gt 0 ]; do
    case $1 in
      --no-build) no_build=yes ;;
      --output) output=${2:?} && shift ;;
      *) fail "unknown option of ./pingti package: $1 (there are --no-build and --output DIR)" \
        "./pingti package 没有选项 $1（只有 --no-build 与 --output 目录）" ;;
    esac
    shift
  done
  if [ -z "$no_build" ]; then
    install_packages setup/apt.txt
    build_binary
  fi
  SOURCE_DATE_EPOCH=$(git -C "$root" log -1 --format=%ct 2>/dev/null || date +%s)
  export SOURCE_DATE_EPOCH
  stage=$(mktemp -d)
  trap 'rm -rf "$stage"' EXIT
  trap 'exit 130' INT TERM
  umask 022
  chmod 755 "$stage"
  mkdir -p "$output" "$stage/deb"
  deb=$output/pingti_$(version)_amd64.deb
  portable=pingti-$(version)-linux-x86_64
  make_deb "$stage/deb" "$deb"
  make_portable "$stage/$portable" "$output/$portable.tar.gz"
  printf '%s\n' "$deb" "$output/$portable.tar.gz"
}
