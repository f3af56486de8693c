#!/bin/sh
# Fetch the renderer of the reference page, RapiDoc, as published on npm. Fails unless it is exactly the pinned one.
set -eu
cd "$(dirname "$0")"
version=9.3.8
package_sha512=7826046ebd57afc38966f542c3c49797dcc1091a0b25b84d1ae1b92194c7abf45600eabf3b831a7d40ae144c991ecae12eb95470664c6bae29ca1a626fc7d029
script_sha256=affbd173a65e870e18f392cca963113bcdafb6e50e88cd2f6a834a65b22db94d

npm pack --silent "rapidoc@$version" >/dev/null
echo "$package_sha512  rapidoc-$version.tgz" | sha512sum --check --quiet
tar -xzf "rapidoc-$version.tgz" --strip-components=1 \
  package/LICENSE.txt package/dist/rapidoc-min.js package/dist/rapidoc-min.js.LICENSE.txt
echo "$script_sha256  dist/rapidoc-min.js" | sha256sum --check --quiet
rm -f rapidoc-*.js.gz
gzip -9nc dist/rapidoc-min.js >"rapidoc-$version.js.gz"
mv dist/rapidoc-min.js.LICENSE.txt LICENSE-of-included-packages.txt
rm -r dist "rapidoc-$version.tgz"
