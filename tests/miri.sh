#!/usr/bin/env bash
# Runs the runtime's own tests in Miri, which interprets them and stops at undefined behaviour: with the portable kernels,
# with words of 32 bits as microcontrollers have them, and with AVX2's vectors. Arguments choose tests: `tests/miri.sh tile`.
#
# It takes the Miri of rustup's nightly toolchain, or else that of Ubuntu's packages. Where there is neither, it puts an
# Ubuntu of its own into target/miri-root (3 GB) and runs in there: on Debian, as root, from the mirror that apt is
# configured for or from $UBUNTU_MIRROR.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

release=noble
rust=1.97
root=$PWD/target/miri-root

find_mirror() {
    local debian
    debian=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep --max-count=1 '/debian/*$')
    echo "${UBUNTU_MIRROR:-${debian%/debian*}/ubuntu}"
}

make_root() {
    local mirror keyring new=$root.new
    mirror=$(find_mirror)
    apt-get install --yes --quiet ca-certificates curl debootstrap xz-utils
    rm -rf "$new" && mkdir -p "$new/etc/ssl/certs" "$new/dunlin"
    if ! curl --silent --fail --location --output "$new/Packages.xz" "$mirror/dists/$release/main/binary-amd64/Packages.xz"; then
        echo "tests/miri.sh: apt's mirror has no Ubuntu: set UBUNTU_MIRROR to one that has" >&2
        exit 1
    fi
    keyring=$(xz --decompress --stdout "$new/Packages.xz" | sed -n '/^Package: ubuntu-keyring$/,/^$/s/^Filename: //p')
    curl --silent --fail --location --output "$new/keyring.deb" "$mirror/$keyring"
    dpkg -x "$new/keyring.deb" "$new"
    # An older debootstrap does not know the release's name, but since gutsy all are made alike.
    debootstrap --variant=minbase --components=main,universe \
        --keyring="$new/usr/share/keyrings/ubuntu-archive-keyring.gpg" \
        "$release" "$new" "$mirror" /usr/share/debootstrap/scripts/gutsy
    echo "deb $mirror $release-updates main universe" >>"$new/etc/apt/sources.list"
    cp --dereference /etc/ssl/certs/ca-certificates.crt "$new/etc/ssl/certs/"
    cp --dereference /etc/resolv.conf /etc/hosts "$new/etc/"
    chroot "$new" apt-get update --quiet
    DEBIAN_FRONTEND=noninteractive chroot "$new" \
        apt-get install --yes --quiet --no-install-recommends "rust-$rust-miri" gcc libc6-dev
    mv "$new" "$root"
}

# In a mount namespace of its own, so that nothing stays mounted.
in_root() {
    [[ -d $root ]] || make_root >&2
    unshare --mount bash -c 'mount --bind "$PWD" "$0/dunlin" && mount -t proc proc "$0/proc" && exec chroot "$0" "$@"' \
        "$root" env --chdir=/dunlin CARGO_HTTP_CAINFO=/etc/ssl/certs/ca-certificates.crt "$@"
}

miri() {
    if cargo +nightly miri --version &>/dev/null; then
        cargo +nightly miri "$@"
    elif command -v "cargo-$rust-unstable-miri" >/dev/null; then
        "cargo-$rust-unstable-miri" "$@"
    else
        in_root "cargo-$rust-unstable-miri" "$@"
    fi
}

# proptest reads files beside the sources; tests of f32 kernels compare them with the same sums of other code.
export MIRIFLAGS='-Zmiri-disable-isolation -Zmiri-deterministic-floats'
export PROPTEST_CASES=${PROPTEST_CASES:-4}
export CARGO_TARGET_DIR=target/miri
miri test --package dunlin --lib --features libm/force-soft-floats -- "$@"
miri test --package dunlin --lib --features libm/force-soft-floats --target i686-unknown-linux-gnu -- "$@"
RUSTFLAGS='-Ctarget-feature=+avx2,+fma' miri test --package dunlin --lib --features libm/force-soft-floats -- "${@:-kernels::wide}"
