#!/usr/bin/env bash
# Builds docker/Dockerfile where there is neither a container engine nor a registry of images, and trains in what comes out: buildah with
# chroot isolation, and in place of the base image a Debian bookworm of its own (debootstrap) with this machine's Node.
# Needs root and Debian's buildah, podman and debootstrap; takes some minutes and 4 GB. Not part of CI.
#
#   test/docker/build.sh [FOLDER] [VARIANT]
set -euo pipefail
cd "$(dirname "$0")/../.."
work=${1:-$(mktemp -d)}
variant=${2:-cpu}
base=docker.io/library/node:20.20.2-bookworm-slim
export STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot
image() { buildah --root "$work/images" --runroot "$work/run" "$@"; }

if [ ! -d "$work/rootfs" ]; then
  debootstrap --variant=minbase --include=ca-certificates,libstdc++6 bookworm "$work/rootfs" >"$work/debootstrap.log"
fi
if [ ! -x "$work/rootfs/usr/local/bin/node" ]; then
  install -D "$(readlink -f "$(command -v node)")" "$work/rootfs/usr/local/bin/node"
  mkdir -p "$work/rootfs/usr/local/lib/node_modules"
  cp -rL "$(npm root --global)/npm" "$work/rootfs/usr/local/lib/node_modules/npm"
  ln -s ../lib/node_modules/npm/bin/npm-cli.js "$work/rootfs/usr/local/bin/npm"
  chroot "$work/rootfs" sh -c "id node >/dev/null 2>&1 || useradd --uid 1000 --create-home node"
  # How this machine reaches its registries.
  for file in /etc/pip.conf /etc/ssl/certs/ca-certificates.crt; do
    if [ -f "$file" ]; then cp "$file" "$work/rootfs$file"; fi
  done
  mkdir -p "$work/rootfs/usr/local/etc"
  echo 'cafile=/etc/ssl/certs/ca-certificates.crt' >"$work/rootfs/usr/local/etc/npmrc"
fi
if ! image images --quiet "$base" >/dev/null 2>&1; then
  container=$(image from scratch)
  image add --quiet "$container" "$work/rootfs" /
  image config --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$container"
  image commit --quiet "$container" "$base"
  image rm "$container" >/dev/null
fi

mounts=()
for folder in /opt/pypi /opt/pypi-more /opt/wheels; do
  if [ -d "$folder" ]; then mounts+=(--volume "$folder:$folder:ro"); fi
done
image build --format docker --pull=never "${mounts[@]}" --env NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt \
  --build-arg VARIANT="$variant" --file docker/Dockerfile --tag "ganglion:$variant" .
image images
container=$(image from --pull-never "ganglion:$variant")
trap 'image rm "$container" >/dev/null' EXIT
image run --user 1000:1000 "$container" -- node /app/dist/coordinator/main.js doctor || true
image run --user 1000:1000 "$container" -- sh -c 'id && node /app/dist/coordinator/main.js train --workers 2 --steps 300 --run /data/runs/one &
  for _ in $(seq 60); do
    sleep 0.5
    node -e "fetch(\"http://127.0.0.1:9464/healthz\").then(async (r) => console.log(r.status, await r.text()), () => process.exit(1))" && break
  done
  wait && ls -l /data/runs/one'
