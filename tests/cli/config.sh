# The configuration file: what is in force, from where, and what is wrong with a line.
. "$SRCDIR/tests/cli/lib.sh"
export XDG_CONFIG_HOME="$PWD/config"
file=$XDG_CONFIG_HOME/doppel/config
mkdir -p "${file%/*}"

# from NAME [COMMAND] - "value|from" of an option, as doppel config tells it.
from() {
    exits 0 config ${2:+"$2"} --json
    line=$("$JSON" out options | tr '{' '\n' | grep "\"name\":\"$1\"" || :)
    echo "$line" | sed 's/.*"value":"\([^"]*\)","from":"\([a-z]*\)".*/\1|\2/'
}

# No file is no failure.
exits 0 config
says out "there is none"
is "$(from fmr verify)" "1e-4|default"
is "$(from json list)" "no|default"

cat >"$file" <<EOF
# a remark
  ; and another

gallery = $PWD/first
threads=2
json
[ verify ]
fmr = 1e-5
json = no
[query]
fmr = 1e-6
k = 3
[train]
layer = a 0.1
layer = b 0.2
EOF
exits 0 config
says out "$file"
says out "line 5"
unset DOPPEL_GALLERY
is "$(from gallery)" "$PWD/first|file"
is "$(from fmr verify)" "1e-5|file"
is "$(from json verify)" "no|file"
is "$(from json query)" "yes|file"
is "$(from k query)" "3|file"
is "$(from threads query)" "2|file"
is "$(from layer train)" "a 0.1, b 0.2|file"
is "$(from max-pixels query)" "256000000|default"

# The file's gallery is the one that is meant, and the file's --json makes failures JSON.
exits 4 list
says err "$PWD/first"
is "$("$JSON" out status)" "E_GALLERY"
# The environment wins over it, an option over both.
DOPPEL_GALLERY=$PWD/second exits 4 list
says err "$PWD/second"
is "$(DOPPEL_GALLERY=$PWD/second from gallery)" "$PWD/second|environment"
DOPPEL_GALLERY=$PWD/second exits 4 list --gallery third
says err "third"
exits 0 enroll "$demo/people" --gallery first

# A section wins over what is for all; an option over the section, also where it says the same thing
# in another way.
exits 0 verify "$obama" "$demo/congress.jpg" --threshold 0.5 --json
is "$("$JSON" out wanted_fmr)" ""
is "$("$JSON" out threshold)" "0.5"
exits 0 verify "$obama" "$demo/congress.jpg" --fmr 1e-3 --json
is "$("$JSON" out wanted_fmr)" "0.001"
"$DOPPEL" verify "$obama" "$demo/congress.jpg" --json >out 2>err || :
is "$("$JSON" out wanted_fmr)" "1e-5"
exits 0 query "$obama" --threshold 0.5
is "$("$JSON" out schema)" "doppel.query/1"
exits 0 query "$obama" --threshold 0.5 --lines
lacks out schema
# What the file says is no reason to refuse what is asked.
exits 0 query --person "Barack Obama"
"$JSON" out >/dev/null

# What is wrong is told with file and line by every command, and config tells all of it.
cat >"$file" <<EOF
fmrr = 1e-4
fmr = 0,9x
[verfy]
[verify]
fmr
threads = 2
as = Ann
json = perhaps
max-memory = 1T
fmr = 1e-4
threshold = 0.5
color = blue
[query
= 5
EOF
exits 2 list
says err "\"$file\", line 1: there is no option \"fmrr\", is \"fmr\" meant?"
is "$(cat out)" ""
exits 2 list --json
is "$("$JSON" out schema)|$("$JSON" out command)" "doppel.error/1|list"
exits 2 config
for line in '1: there is no option "fmrr", is "fmr" meant?' '2: --fmr takes a number from 0 to 1, not "0,9x"' \
    '3: there is no command "verfy", is "verify" meant?' '5: "fmr" needs a value: fmr = RATE' \
    '6: verify has no option "threads"' '7: "as" is said on the command line each time, not here' \
    '8: "json" is yes or no, not "perhaps"' '9: --max-memory takes bytes' \
    '11: "threshold" and "fmr" (line 5) exclude each other' '12: --color takes one of auto' \
    '13: verify has no option "[query"' '14: verify has no option ""'; do
    says err "line $line"
done
is "$(grep -c ', line ' err)" "12"
exits 2 config --json
is "$("$JSON" out problems | tr '{' '\n' | grep -c '"line"')" "12"
# What explains and what asks for the version goes on.
exits 0 help
exits 0 version
exits 0 verify --help

# ~/ is home; the names of the environment that are not absolute count as unset.
printf 'gallery = ~/mine\n' >"$file"
HOME=$PWD/home exits 4 list
says err "$PWD/home/mine"
mkdir -p home/.config/doppel
printf 'gallery = %s\n' "$PWD/fourth" >home/.config/doppel/config
HOME=$PWD/home XDG_CONFIG_HOME=relative exits 4 list
says err "$PWD/fourth"
HOME='' XDG_CONFIG_HOME='' exits 0 config
says out "none"

# A file that is no file, or no text.
printf 'threads = 1\0\n' >"$file"
exits 2 list
says err "line 1: it is no text"
printf 'threads = 1\rquiet = yes\r' >"$file"
exits 2 list
says err "line 1: lines end in a carriage return alone"
rm "$file"
mkdir "$file"
exits 2 list
says err "it is no file"
exits 3 config --json
is "$("$JSON" out schema)" "doppel.error/1"
rmdir "$file"
yes 'threads = 1' | head -c 2000000 >"$file"
exits 2 list
says err "has more than"
# Somebody else's, which may not be read.
echo 'threads = 1' >"$file"
chmod 000 "$file"
if [ ! -r "$file" ]; then
    exits 2 list
    says err 'cannot read "'
fi
rm -f "$file"

# Choices and lists, a name that is two options, and a run that is resumed.
printf 'precision = f32\ncolor = always\nby = face\n' >"$file"
exits 2 list
says err '"by" is said'
printf 'precision = f32\ncolor = always\n' >"$file"
unset NO_COLOR
is "$(from precision verify)" "f32|file"
is "$(from color verify)" "always|file"
is "$(NO_COLOR=1 from color verify)" "never|environment"
printf '\033' >escape
exits 0 list --gallery first
grep -qf escape out || fail "the file's colour is not in force"
NO_COLOR=1 exits 0 list --gallery first
grep -qf escape out && fail "colours with NO_COLOR"
exit 0
