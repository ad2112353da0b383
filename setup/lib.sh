# What the commands of ./pingti share: messages in two languages, progress, and the parts of the set-up.
# Expects $root, $binary, $stamp and $models from ./pingti.
logs=$root/.deps/log
mkdir -p "$logs"
PATH=$PATH:${HOME:-/root}/.cargo/bin # where rustup puts cargo, at the end: the system's own goes first

. "$root/setup/messages.sh"
. "$root/setup/packages.sh"
. "$root/setup/build.sh"
. "$root/setup/model.sh"
