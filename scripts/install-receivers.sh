#!/bin/sh
# Puts a Kafka broker, rsyslog (with gtls and relp), syslog-ng and the S3 store versitygw side by side into a cache folder, for the tests
# that speak to real receivers; and, where it may, installs PostgreSQL and PgBouncer, for those that keep the journal there.
#
# Debian's receivers conflict, so they are unpacked instead of installed; the broker's jars come by Maven. Only PostgreSQL changes the machine
# and needs root: its programs are installed, no server is made or started; the tests start their own. The folder is $PENSTOCK_RECEIVERS, else ~/.cache/penstock/receivers; the tests look there by themselves. Running
# it again does nothing. Where it cannot install it says so and ends with 0: the tests then skip what needs a receiver.
set -eu

root=${PENSTOCK_RECEIVERS:-${XDG_CACHE_HOME:-$HOME/.cache}/penstock/receivers}
store=github.com/versity/versitygw/cmd/versitygw@v1.8.0

# Built from its source, as Go's own check of contents knows it; nothing is downloaded as a binary.
if [ ! -x "$root/bin/versitygw" ]; then
  if ! command -v go >/dev/null 2>&1; then
    echo "install-receivers: no Go on this machine; tests against an S3 store will be skipped" >&2
  elif ! GOBIN="$root/bin" go install "$store" >/dev/null 2>&1; then
    echo "install-receivers: versitygw cannot be built; tests against an S3 store will be skipped" >&2
  fi
fi

kafka=4.1.1

# The broker with everything that its POM pins, 43 MB; it runs on Java 17 or later.
install_kafka() {
  [ -f "$root/kafka-$kafka/complete" ] && return 0
  for tool in java mvn; do
    command -v "$tool" >/dev/null 2>&1 || { echo "install-receivers: no $tool; tests against Kafka will be skipped" >&2; return 0; }
  done
  mkdir -p "$root/kafka-$kafka/lib" || return 0
  cat >"$root/kafka-$kafka/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>penstock</groupId>
  <artifactId>receivers</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>$kafka</version></dependency>
  </dependencies>
</project>
POM
  mvn -q -B -f "$root/kafka-$kafka/pom.xml" org.apache.maven.plugins:maven-dependency-plugin:2.8:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$root/kafka-$kafka/lib" >/dev/null 2>&1 ||
    { echo 'install-receivers: the jars of Kafka cannot be downloaded; tests against it will be skipped' >&2; return 0; }
  touch "$root/kafka-$kafka/complete"
}
install_kafka

# No cluster is made, and nothing is started while it installs.
install_postgres() {
  if ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 && command -v pgbouncer >/dev/null 2>&1; then return 0; fi
  if ! command -v apt-get >/dev/null 2>&1 || [ "$(id -u)" != 0 ]; then
    command -v initdb >/dev/null 2>&1 || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 ||
      echo 'install-receivers: PostgreSQL is installed by root and apt only; tests against it will be skipped' >&2
    return 0
  fi
  mkdir -p /etc/postgresql-common
  [ -f /etc/postgresql-common/createcluster.conf ] || echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
  policy=/usr/sbin/policy-rc.d
  made=
  if [ ! -e "$policy" ]; then
    made=yes
    printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy"
  fi
  { apt-get install -y -qq --no-install-recommends postgresql pgbouncer ||
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends postgresql pgbouncer; }; } >/dev/null 2>&1 ||
    echo 'install-receivers: PostgreSQL cannot be installed; tests against it will be skipped' >&2
  [ -z "$made" ] || rm -f "$policy"
}
install_postgres

[ -f "$root/complete" ] && exit 0

give_up() {
  echo "install-receivers: $1; tests against rsyslog and syslog-ng will be skipped" >&2
  exit 0
}

for tool in apt-get dpkg-deb; do
  command -v "$tool" >/dev/null 2>&1 || give_up "no $tool on this machine"
done

missing() {
  apt-get install --simulate --no-install-recommends "$@" 2>/dev/null | sed -n 's/^Inst \([^ ]*\).*/\1/p'
}

if [ -z "$(apt-cache policy rsyslog 2>/dev/null | sed -n 's/.*Candidate: \([0-9].*\)/\1/p')" ] && [ "$(id -u)" = 0 ]; then
  apt-get update -qq >/dev/null 2>&1 || true
fi

# Two simulations, because the two receivers refuse to stand in one. An installed one has nothing to unpack.
packages=$(printf '%s\n%s\n' "$(missing rsyslog rsyslog-gnutls rsyslog-relp)" "$(missing syslog-ng-core)" | sort -u | sed '/^$/d')
packages=$(printf '%s\nrsyslog\nrsyslog-gnutls\nrsyslog-relp\nsyslog-ng-core\n' "$packages" | sort -u | sed '/^$/d')

work=$(mktemp -d) || give_up 'no temporary folder'
trap 'rm -rf "$work"' EXIT INT TERM
chmod 755 "$work"
mkdir -p "$root" 2>/dev/null || give_up "cannot write $root"

# shellcheck disable=SC2086
(cd "$work" && apt-get download -qq $packages >/dev/null 2>&1) || give_up 'the packages cannot be downloaded'
for package in "$work"/*.deb; do
  dpkg-deb -x "$package" "$root" || give_up "cannot unpack $(basename "$package")"
done
touch "$root/complete"
