# deb.sh FOLDER OF PACKAGES - FOLDER OF WORK - the Debian packages that "./dev deb" has made: lintian finds
# nothing, and in a bare Debian 12 they install, work without a network, and go again without a trace. With
# buildah, the Containerfile builds of them, and what it makes works.
# Skipped (77), with the reason, where there are no packages, or none of these sources, and where a bare
# system cannot be made: that takes root, debootstrap, and the machine's own apt sources.
set -eu
source=$(cd "$(dirname "$0")/../.." && pwd)
packages=$1
work=$2

skip() {
    echo "skipped: $*"
    exit 77
}

fail() {
    echo "FAILED: $*"
    [ ! -e "$work/log" ] || tail -n 30 "$work/log"
    exit 1
}

ls "$packages"/*.deb >/dev/null 2>&1 || skip "there are no packages in $packages; ./dev deb makes them"
first=$(ls "$packages"/doppel_*.deb)
newer=$(find "$source/app" "$source/serve" "$source/base" "$source/net" "$source/text" "$source/vision" "$source/data" \
    "$source/train" "$source/index" "$source/include" "$source/models" "$source/debian" "$source/cmake" \
    -type f -newer "$first" | head -n 1)
[ -z "$newer" ] || skip "the packages are older than $newer; ./dev deb makes them anew"
if command -v lintian >/dev/null; then
    lintian --fail-on error,warning --allow-root "$packages"/*.deb || fail "lintian finds something"
fi
[ "$(id -u)" -eq 0 ] || skip "a bare system is made by root"
command -v debootstrap >/dev/null || skip "there is no debootstrap"
command -v apt-get >/dev/null || skip "there is no apt"
site=$(apt-get indextargets --format '$(SITE)|$(CODENAME)|$(COMPONENT)' 'Created-By: Packages' |
    sed -n 's/|bookworm|main$//p' | head -n 1)
[ -n "$site" ] || skip "this machine's apt sources have no Debian 12"

mkdir -p "$work"
root=$work/root
trap 'rm -rf "$root"' EXIT
rm -rf "$root"
if ! debootstrap --variant=minbase --include=ca-certificates bookworm "$root" "$site" >"$work/log" 2>&1; then
    tail -n 3 "$work/log"
    skip "debootstrap cannot make a bare system: no network, or no right to"
fi
# As this machine reaches its packages.
rm -f "$root/etc/apt/sources.list"
cp -r /etc/apt/. "$root/etc/apt/"
cp /etc/resolv.conf "$root/etc/resolv.conf"
mkdir "$root/packages"
cp "$packages"/*.deb "$root/packages/"

# bare COMMAND - in the bare system, with nothing of this one's environment but the way to the packages.
bare() {
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
        ${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} \
        chroot "$root" sh -euc "$1" >>"$work/log" 2>&1
}

bare 'apt-get update' || skip "the bare system does not reach the packages"
bare 'apt-get install -y --no-install-recommends /packages/*.deb' || fail "the packages do not install"

# At work, with no network where that can be taken away, and as nobody in particular.
mkdir -p "$root/photos"
cp -r "$source/demo/." "$root/photos/"
chmod -R a+rX "$root/photos"
run='HOME=/tmp/home XDG_DATA_HOME=/tmp/home; export HOME XDG_DATA_HOME; mkdir -p /tmp/home
    doppel version
    doppel enroll /photos/people
    doppel verify /photos/congress.jpg --as "Barack Obama"
    status=0; doppel verify "/photos/people/Joe Biden/blue-room.jpg" /photos/congress.jpg || status=$?
    [ $status = 1 ]
    doppel query - </photos/congress.jpg | grep "Barack Obama"
    doppel query --text "a portrait" | grep portrait.png'
apart=
if unshare -n true 2>/dev/null; then
    apart="unshare -n"
fi
env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 $apart chroot --userspec=nobody:nogroup "$root" sh -euc "$run" \
    >>"$work/log" 2>&1 || fail "doppel does not work as it was installed"
for file in /usr/share/man/man1/doppel.1.gz /usr/share/bash-completion/completions/doppel \
    /usr/share/zsh/vendor-completions/_doppel /usr/share/fish/vendor_completions.d/doppel.fish \
    /usr/include/doppel/doppel.h /usr/share/doc/doppel-models/copyright; do
    [ -s "$root$file" ] || fail "$file is not installed"
done
# FAISS is inside: nothing of it is asked for.
bare '! ldd "$(ls /usr/lib/*/libdoppel.so.1)" | grep -e faiss -e "not found"' ||
    fail "the library asks for more than the packages bring"

bare 'apt-get purge -y doppel doppel-models libdoppel1 libdoppel-dev' || fail "the packages cannot be removed"
left=$(find "$root" -xdev -iname '*doppel*' ! -path "$root/packages/*" ! -path "$root/tmp/*" \
    ! -path "$root/var/log/*" ! -path "$root/var/cache/*" ! -path "$root/proc/*" | head -n 3)
[ -z "$left" ] || fail "removed, they leave $left"

# The Containerfile, on what is left: a bare Debian 12 again, in the place of debian:bookworm-slim.
command -v buildah >/dev/null || {
    echo "no buildah: the Containerfile is not tried"
    exit 0
}
rm -rf "$root/packages" "$root/photos"
image() {
    buildah --storage-driver vfs --root "$work/images" --runroot "$work/images.run" "$@"
}
trap 'rm -rf "$root" "$work/images" "$work/images.run" "$work/base.tar" "$work/photos"' EXIT
rm -rf "$work/images" "$work/images.run" "$work/photos"
tar -C "$root" --one-file-system -cf "$work/base.tar" .
(
    base=$(image from scratch)
    image add "$base" "$work/base.tar" /
    image commit --rm "$base" docker.io/library/debian:bookworm-slim
    image bud --isolation chroot --network host --pull=never -t doppel "$source"
) >>"$work/log" 2>&1 || fail "the Containerfile does not build"
container=$(image from --pull=never localhost/doppel)
cp -r "$source/demo" "$work/photos"
chmod -R a+rX "$work/photos"
inside() {
    image run --isolation chroot -v "$work/photos:/photos:ro" "$container" -- "$@"
}
inside doppel version >"$work/out" 2>&1 || fail "doppel does not run in the container: $(cat "$work/out")"
inside doppel verify /photos/congress.jpg "/photos/people/Barack Obama/official-portrait.jpg" >"$work/out" 2>&1 ||
    fail "verify in the container: $(cat "$work/out")"
grep -q '^match: ' "$work/out" || fail "verify in the container says: $(cat "$work/out")"
[ "$(inside id -un)" = doppel ] || fail "the container is root's"
inside sh -c 'cd / && doppel enroll /photos/people && doppel query - </photos/congress.jpg' >"$work/out" 2>&1 ||
    fail "the container's gallery: $(cat "$work/out")"
grep -q 'Barack Obama' "$work/out" || fail "query in the container says: $(cat "$work/out")"
