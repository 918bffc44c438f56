/*
 * html.h - an answer as one page for the browser: everything inside, nothing from the network.
 */
#ifndef DOPPEL_APP_HTML_H
#define DOPPEL_APP_HTML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "app/common.h"

/* A page being written beside its file, which is replaced only when the page is whole. */
typedef struct html {
    FILE *f; /* NULL: no page was asked for */
    char *target, *aside;
    char *whole; /* of a page for standard output: told at the end, n_whole bytes */
    size_t n_whole;
    int out;           /* where standard output was */
    int n_photos;      /* numbers the photos' anchors */
    bool has_pictures; /* of faces, unless made false: the page's end says how to keep it */
} html;

/**
 * Begin a page, or nothing where --html does not name one. The first thing on it is a heading.
 * "-" is standard output, on which nothing else comes from then on.
 * @return 0, 2 where --json wants it, too, or 5, both after a message
 */
int html_open(html *page, const command *self, const common *o, const char *title);

/** What the page is about; nothing where there is no page. */
void html_heading(const html *page, const char *text);

/** End the page and put it in its place. 0, or 5 after a message. */
int html_close(html *page, const command *self, const common *o);

/** Leave the old file as it was. Does nothing on a closed page. */
void html_abandon(html *page);

/** Text with everything that HTML gives a meaning escaped. */
void html_text(const html *page, const char *bytes);

/** A figure in a list of class "facts", its value as printf makes it. */
void html_fact(const html *page, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** A paragraph. */
void html_paragraph(const html *page, const char *class_name, const char *text);

/** An <img> from JPEG bytes; nothing when there are none. */
void html_jpeg(const html *page, const uint8_t *jpeg, size_t n, const char *alt);

/** An <img> of a photo's face, upright and with hair and chin; of a whole picture, of what the
 * encoder saw. */
void html_portrait(const html *page, const dpl_encoder *encoder, const dpl_photo *photo,
                   size_t face, const char *alt);

/* A face to be boxed on a photo. */
typedef struct html_box {
    const dpl_face *face;
    int32_t number; /* from 1 */
    dpl_decision decision;
    const char *label;  /* who, for those who do not see the box */
    const char *anchor; /* id of what is told about it, or NULL */
} html_box;

/** The photo, at most 900 px, with faces boxed and numbered. */
void html_photo(const html *page, const dpl_photo *photo, const char *name, const html_box *boxes,
                size_t n);

/** A verdict as the heading of a page or a part of it: mark, word, and the rest of the sentence. */
void html_headline(const html *page, const char *element, dpl_decision decision, const char *word,
                   const char *rest);

/** "match" as a coloured word. */
void html_verdict(const html *page, dpl_decision decision, const char *words);

/** What a face's quality says: a line of its numbers, with a warning where it is poor. */
void html_quality(const html *page, const dpl_face *face);

/** A path without what leads to it: from here, from home, or its folder and file. */
void html_path(const html *page, const char *path);

/** "How this was made": a table begun with date and command, gone on with html_row; html_made adds
 * the models and the calibration. */
void html_made_begin(const html *page, const common *o);
void html_made(const html *page, const common *o, const dpl_pipeline *pipeline);
void html_made_text(const html *page, const common *o, const dpl_text_pipeline *pipeline);
void html_row(const html *page, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void html_made_end(const html *page);

#endif
