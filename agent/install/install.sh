#!/bin/sh
# Installs the Lamplighter agent. When the machine can't be a host, this script says why in one sentence, before it starts
# anything else: the Node in this archive would only say "not found" or "Exec format error".
set -eu

refuse() {
  echo "install Lamplighter's agent: $1" >&2
  exit 1
}

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
for argument in "$@"; do
  [ "$argument" != --help ] || exec "$here/bin/node" "$here/lib/install.mjs" --help
done

[ "$(uname -s)" = Linux ] || refuse "it runs on Linux only, and this is $(uname -s)"
machine=$(uname -m)
[ "$machine" = '@MACHINE@' ] || refuse "this archive is for @MACHINE@, and this machine is $machine; take the archive for it"
libc=$(getconf GNU_LIBC_VERSION 2>/dev/null) || refuse 'it needs glibc @GLIBC@ or newer, and this system has another C library (Alpine has musl); use Debian 11, Ubuntu 22.04, RHEL 9 or newer'
glibc=${libc#glibc }
least=@GLIBC@
if [ "${glibc%%.*}" -lt "${least%%.*}" ] || { [ "${glibc%%.*}" -eq "${least%%.*}" ] && [ "${glibc#*.}" -lt "${least#*.}" ]; }; then
  refuse "it needs glibc @GLIBC@ or newer, and this system has $glibc"
fi
[ -d /run/systemd/system ] || refuse 'it needs systemd, and this system was not started by it'
systemd=$(systemctl --version | sed -n '1s/^systemd \([0-9]*\).*/\1/p')
[ "${systemd:-0}" -ge @SYSTEMD@ ] || refuse "it needs systemd @SYSTEMD@ or newer, and this system has ${systemd:-an unknown version}"
[ "$(id -u)" = 0 ] || refuse 'it needs root; run it with sudo'

exec "$here/bin/node" "$here/lib/install.mjs" "$@"
