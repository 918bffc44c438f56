/*
 * copy_words.c - what was done to a picture that became another, in words and as JSON.
 */
#include "app/copy_words.h"

#include <math.h>
#include <stdlib.h>

#include "app/json.h"
#include "app/text.h"

/* Below these an edit is not worth a word, or not sure. */
#define ALL_SHOWN  0.96f
#define SAME_SCALE 0.03f
#define NO_TILT    1.5f

static const char *turn_words(int32_t orientation)
{
    switch (orientation) {
    case 2: return "mirrored";
    case 3: return "turned 180°";
    case 4: return "mirrored and turned 180°";
    case 5: return "mirrored and turned 90° clockwise";
    case 6: return "turned 90° counter-clockwise";
    case 7: return "mirrored and turned 90° counter-clockwise";
    case 8: return "turned 90° clockwise";
    default: return NULL;
    }
}

/* One more edit in a list of words, which is taken. */
static char *add(char *words, char *edit)
{
    char *longer =
        words && edit ? text_try_format("%s%s%s", words, words[0] ? ", " : "", edit) : NULL;

    free(words);
    free(edit);
    return longer;
}

char *copy_words(const dpl_overlay *o, const char *first)
{
    const char *turn = turn_words(o->orientation);
    char *words = text_try_format("%s", "");

    if (turn)
        words = add(words, text_try_format("%s", turn));
    if (fabsf(o->angle_deg) >= NO_TILT)
        words = add(words, text_try_format("tilted %.0f°", fabs((double)o->angle_deg)));
    if (o->shown_a < ALL_SHOWN)
        words =
            add(words, text_try_format("cropped to %.0f %% of the area", 100 * (double)o->shown_a));
    if (o->shown_b < ALL_SHOWN)
        words = add(words, text_try_format("more around it, %.0f %% of the area: a frame, or what "
                                           "%s lacks",
                                           100 * (1 - (double)o->shown_b), first));
    if (fabsf(o->scale - 1) >= SAME_SCALE)
        words = add(words, text_try_format("%s to %.0f %%", o->scale < 1 ? "reduced" : "enlarged",
                                           100 * (double)o->scale));
    return words;
}

void copy_put_json(json_t **to, const dpl_overlay *o, const char *first_shown)
{
    json_put_real(to, "score", (double)o->score);
    json_put_int(to, "orientation", o->orientation);
    json_put_real(to, "angle_deg", (double)o->angle_deg);
    json_put_real(to, first_shown, (double)o->shown_a);
    json_put_real(to, "copy_shown", (double)o->shown_b);
    json_put_real(to, "scale", (double)o->scale);
}
