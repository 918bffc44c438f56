# What a shell completes is what the option tables say: the scripts are loaded by the shells themselves.
. "$SRCDIR/tests/cli/lib.sh"
mkdir -p bin some-folder
ln -s "$DOPPEL" bin/doppel
export PATH="$PWD/bin:$PATH"
: >some-file
for shell in bash zsh fish; do
    exits 0 help --completion $shell
    cp out completion.$shell
done
exits 2 help --completion csh
exits 2 help --completion bash verify
exits 0 help
commands=$(sed -n 's/^  \([a-z]*\) .*/\1/p' out)

# options COMMAND - the names of its options, as the help has them.
options() {
    "$DOPPEL" help "$1" | sed -n 's/^  \(-[a-zA-Z0-9],\|   \) \(--[a-z0-9-]*\).*/\2/p' | sort -u
}

cat >ask.bash <<'EOF'
# ask.bash WORD… - what bash offers for the last of the words, a line each
source ./completion.bash
COMP_WORDS=(doppel "$@")
COMP_CWORD=$#
COMPREPLY=()
_doppel
printf '%s\n' "${COMPREPLY[@]}"
EOF

# The words on standard input, sorted, in one line.
sorted() {
    tr -s ' \n' '\n\n' | sort -u | tr '\n' ' ' | sed 's/^ *//; s/ *$//'
}

# offers EXPECTED WORD… - in any order, blanks for ends of lines
offers() {
    expected=$1
    shift
    is "$(bash ask.bash "$@" | sorted)" "$(printf '%s' "$expected" | sorted)"
}

if command -v bash >/dev/null; then
    bash -uec 'source ./completion.bash; complete -p doppel' >out 2>err || fail "bash does not load it"
    says out "-F _doppel"
    offers "$commands --help --version" ""
    for command in $commands; do
        offers "$(options "$command")" "$command" --
    done
    offers "verify version" ver
    offers "--fmr --face --face-a --face-b" verify --f
    offers "auto always never" list --color ""
    offers "always" list --color = alw
    offers "some-folder" list --gallery some
    offers "some-file some-folder" verify some
    offers "some-file some-folder" verify a.jpg --html some
    offers "" verify a.jpg --fmr some
    offers "" query -k some
    offers "verify version" help ver
    offers "--manual" help --m
    offers "" verify -- --f
    offers "" nothing --
fi
if command -v zsh >/dev/null; then
    mkdir -p functions
    cp completion.zsh functions/_doppel
    cat >ask.zsh <<'EOF'
# a terminal of its own, in which the line is typed and completed
zmodload zsh/zpty
zpty shell zsh -fi
zpty -w shell "PROMPT=; unsetopt zle_bracketed_paste; fpath=($PWD/functions \$fpath)"
zpty -w shell "autoload -U compinit; compinit -u -D; zstyle ':completion:*' list-colors; LISTMAX=0; TERM=dumb"
zpty -w shell "bindkey '^I' list-choices; stty cols 200; echo rea''dy"
zpty -m -r shell text '*ready*' >/dev/null
zpty -n -w shell "$1"$'\t'
# Read until it has come; what does not come is ended from outside.
zpty -m -r shell text "*$2*"
print -r -- "$text"
zpty -d shell
EOF
    zsh -n completion.zsh 2>err || fail "zsh does not read it"
    for ask in "verify --f:--face-b" "list --color :never"; do
        timeout 600 zsh -f ask.zsh "doppel ${ask%%:*}" "${ask#*:}" >out 2>err || :
        says out "${ask#*:}"
    done
fi
if command -v fish >/dev/null; then
    # asks LINE - what fish offers, without what it says of it
    asks() {
        HOME=$PWD XDG_CONFIG_HOME=$PWD fish --no-config -c "source completion.fish; complete -C '$1'" 2>err |
            cut -f 1 | sorted
    }
    is "$(asks 'doppel ver')" "verify version"
    for command in help verify train; do
        is "$(asks "doppel $command --")" "$(options "$command" | sorted)"
    done
    is "$(asks 'doppel list --color ')" "always auto never"
    is "$(asks 'doppel list --gallery some')" "some-folder/"
fi
exit 0
