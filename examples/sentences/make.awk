# make.awk - pairs of requests to a house, TSV: a, b, label. The same request in other words is 1; another, often
# of the same words, is 0. awk -v seed=1 -v n=600 -f make.awk
function pick(words,    list, m) { m = split(words, list, "|"); return list[1 + int(rand() * m)] }
function say(what, where, form) {
    if (what == "on") return pick("turn on the light in the " where "|switch the " where " light on|let there be light in the " where "|light up the " where)
    if (what == "off") return pick("turn off the light in the " where "|switch the " where " light off|make the " where " dark|no more light in the " where)
    if (what == "warm") return pick("make it warmer in the " where "|heat the " where "|turn up the heating of the " where "|it is too cold in the " where)
    if (what == "cool") return pick("make it cooler in the " where "|cool the " where "|turn down the heating of the " where "|it is too hot in the " where)
    if (what == "music") return pick("play music in the " where "|start a song in the " where "|let me hear music in the " where)
    return pick("close the blinds of the " where "|shut the blinds in the " where "|let the " where " blinds down")
}
BEGIN {
    srand(seed)
    rooms = "kitchen|bedroom|hall|bathroom|garage|study"
    wishes = "on|off|warm|cool|music|blinds"
    for (i = 0; i < n; i++) {
        what = pick(wishes); where = pick(rooms); a = say(what, where)
        if (i % 2) {
            do b = say(what, where); while (b == a)
            print a "\t" b "\t1"
        } else {
            do { other = pick(wishes); place = rand() < .5 ? where : pick(rooms) } while (other == what && place == where)
            print a "\t" say(other, place) "\t0"
        }
    }
}
