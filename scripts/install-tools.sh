#!/bin/sh
# Puts the tools by which users judge deploy/ and siem/ into a cache folder: promtool, helm, splunk-appinspect and sigma.
#
# The folder is $PENSTOCK_TOOLS, else ~/.cache/penstock/tools; test/deploy/tools.long.test.ts looks there and on the PATH. What cannot
# be installed is named, and its tests say that they were skipped. Needs apt-get and dpkg-deb, go, or python3, each for its own.
set -u

root=${PENSTOCK_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/penstock/tools}
bin=$root/bin
mkdir -p "$bin" || exit 0

missing() {
  echo "install-tools: no $1 ($2)" >&2
}

promtool() {
  work=$(mktemp -d) || return 1
  (cd "$work" && apt-get download -qq prometheus && dpkg-deb -x prometheus_*.deb . && cp usr/bin/promtool "$bin/") >/dev/null 2>&1
  found=$?
  rm -rf "$work"
  return $found
}

python_tools() {
  python3 -m venv "$root/python" && "$root/python/bin/pip" install --quiet splunk-appinspect==4.3.1 &&
    python3 -m venv "$root/sigma" && "$root/sigma/bin/pip" install --quiet sigma-cli==3.1.0 pysigma-backend-splunk==2.1.0 pysigma-backend-elasticsearch==2.1.1 &&
    ln -sf "$root/python/bin/splunk-appinspect" "$root/sigma/bin/sigma" "$bin/"
}

[ -x "$bin/promtool" ] || promtool || missing promtool 'Debian package prometheus'
[ -x "$bin/helm" ] || GOBIN=$bin go install helm.sh/helm/v3/cmd/helm@v3.19.0 >/dev/null 2>&1 || missing helm 'go install'
[ -x "$bin/sigma" ] || python_tools >/dev/null 2>&1 || missing 'splunk-appinspect or sigma' 'pip'
exit 0
