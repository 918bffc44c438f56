# source.sh - Debian's source packages, for scripts that build one; read by ". scripts/source.sh" after
# $work, a folder to work in, $here, the folder of the scripts, say and die are there.
#
# The system's apt configuration is read, never written: the source comes through a deb-src copy of the
# machine's own entries, in a folder of ours. Needs no root.

# Copies the machine's apt entries, binary ones too, as source entries into the folder $1; with "binary" as
# $2 as entries of packages.
copy_apt_entries() {
    types=deb-src
    [ "${2:-}" != binary ] || types=deb
    main=''
    parts=''
    eval "$(apt-config shell main Dir::Etc::sourcelist/f parts Dir::Etc::sourceparts/d)"
    for file in "$main" "$parts"/*.list; do
        [ -r "$file" ] || continue
        sed -n "s/^[[:space:]]*deb\(-src\)\{0,1\}[[:space:]]/$types /p" "$file"
    done | sort -u >"$1/doppel.list"
    # Paragraph by paragraph: one that says "Enabled: no" stays out. (Inline keys have lines that start
    # with a blank, and a lone dot for an empty one, so a paragraph ends at an empty line here too.)
    for file in "$parts"/*.sources; do
        [ -r "$file" ] || continue
        awk -v types="$types" '
            function flush() {
                if (enabled && text ~ /\nURIs:/) print text
                text = ""; enabled = 1
            }
            BEGIN { enabled = 1 }
            /^[[:space:]]*$/ { flush(); next }
            /^#/ { next }
            tolower($0) ~ /^enabled:[[:space:]]*(no|false|off|0|without|disable)/ { enabled = 0 }
            tolower($0) ~ /^types:/ { $0 = "Types: " types }
            { sub(/^[Uu][Rr][Ii][Ss]:/, "URIs:"); text = text "\n" $0 }
            END { flush() }' "$file"
    done >"$1/doppel.sources"
}

# fetch_source PACKAGE [VERSION] - puts Debian's source, of its authors' VERSION or the newest, into $work/src, and
# that version into $work/version.
fetch_source() {
    package=$1
    wanted=${2:-}
    command -v apt-get >/dev/null ||
        die "there is no apt here to fetch the source of \"$package\" with: see docs/install.md"
    sh "$here/packages.sh" faiss
    rm -rf "$work/download" "$work/unpack"
    mkdir -p "$work/apt/lists/partial" "$work/apt/sources" "$work/download"
    copy_apt_entries "$work/apt/sources"
    # As root, apt would hand the download to its own user, who cannot see into this folder.
    set -- -q -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$work/apt/sources" \
        -o Dir::State::Lists="$work/apt/lists" -o Dir::Cache="$work/apt" \
        -o Acquire::Languages=none -o APT::Sandbox::User=root
    say "fetching Debian's source package"
    # An entry without sources (many that are not Debian's) is no failure; no package at the end is.
    apt-get "$@" update >"$work/apt/log" 2>&1 || :
    # The newest that can be had: a mirror may list one that it does not hold yet.
    fetched=
    for version in $(apt-cache "$@" showsrc "$package" 2>>"$work/apt/log" | sed -n 's/^Version: //p' |
        sort -ruV); do
        case ${version#*:} in
        ${wanted:-?}[-+~]* | ${wanted:-*}) ;;
        *) continue ;;
        esac
        rm -rf "$work/download"
        mkdir -p "$work/download"
        if (cd "$work/download" && apt-get "$@" source --download-only "$package=$version") \
            >>"$work/apt/log" 2>&1; then
            fetched=$version
            break
        fi
    done
    [ -n "$fetched" ] || {
        grep -E '^[EW]:' "$work/apt/log" | awk '!seen[$0]++' | head -n 6 >&2
        if grep -qE 'Could not (resolve|connect)|Temporary failure|Connection (failed|refused|timed out)' "$work/apt/log"; then
            die "apt cannot reach the mirrors of this machine's apt sources: is there a network?" \
                "It is needed for the source package \"$package\", this once; run ./dev again when there is."
        fi
        die "the source package \"$package\"${wanted:+ of version $wanted} cannot be had through this machine's apt sources;" \
            "docs/install.md says more"
    }
    set -- "$work"/download/*.dsc
    version=$(sed -n '/^Version: /{s/^Version: \([0-9]*:\)\{0,1\}//;s/-[^-]*$//;p;q;}' "$1")
    # apt has checked the files against the signed index.
    dpkg-source --no-check --no-copy -x "$1" "$work/unpack" >>"$work/apt/log" 2>&1 ||
        die "$(tail -n 5 "$work/apt/log")"
    echo "$version" >"$work/version"
    mv "$work/unpack" "$work/src"
    rm -rf "$work/download" "$work/apt"
}
