/*
 * html.c - an answer as one page for the browser.
 *
 * One file, photos as data: URIs, no script, no network (a content security policy says so to the
 * browser, too). Boxes are laid over a photo in shares of its size, so they fit at any width while
 * their numbers stay readable. The page holds faces, so it is readable by its owner only.
 */
#include "app/html.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PHOTO_SIDE_PX 900

static const char head[] =
    "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<meta name=\"referrer\" content=\"no-referrer\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
    "img-src data:; style-src 'unsafe-inline'\">\n";

static const char style[] =
    "<style>\n"
    ":root{color-scheme:light dark;--bg:#f6f6f4;--card:#fff;--ink:#1c1d1f;--soft:#5d6167;"
    "--line:#dcdcd8;--good:#17703a;--bad:#b3261e;--warn:#8a5a00;--goodbg:#d8efdf;--badbg:#f7dedb;"
    "--warnbg:#f8e8c6}\n"
    "@media(prefers-color-scheme:dark){:root{--bg:#16181b;--card:#1f2226;--ink:#eceded;"
    "--soft:#a5abb3;--line:#383c42;--good:#6fd693;--bad:#ff9d94;--warn:#f0c05a;--goodbg:#1d3a29;"
    "--badbg:#472522;--warnbg:#3f3216}}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0;background:var(--bg);color:var(--ink);"
    "font:16px/1.5 system-ui,-apple-system,\"Segoe UI\",Roboto,\"Noto Sans\",\"DejaVu Sans\","
    "sans-serif;overflow-wrap:anywhere}\n"
    "main,footer{max-width:1180px;margin:0 auto;padding:0 20px}\n"
    "h1{font-size:1.6rem;line-height:1.25;margin:28px 0 4px}\n"
    "h2{font-size:1.15rem;line-height:1.3;margin:0 0 "
    "12px}\nh3{font-size:1rem;margin:0}\n.cols+h3{margin-top:20px}\n"
    "p{margin:0 0 6px}\n.soft,figcaption,footer{color:var(--soft);font-size:.875rem}\n"
    "footer{padding-bottom:32px}\n"
    ".card{background:var(--card);border:1px solid var(--line);border-radius:14px;padding:20px;"
    "margin:20px 0}\n"
    ".cols{display:grid;grid-template-columns:minmax(0,5fr) minmax(0,6fr);gap:24px;"
    "align-items:start}\n.cols.even{grid-template-columns:1fr 1fr}\n"
    "figure{margin:0}\nfigcaption{margin-top:6px}\n"
    ".frame{position:relative;width:fit-content;max-width:100%;border-radius:10px;"
    "overflow:hidden}\n.frame>img{display:block;max-width:100%;max-height:720px;height:auto;"
    "width:auto}\n.sticky{position:sticky;top:16px}\n"
    ".box{position:absolute;border:2px solid #fff;border-radius:4px;"
    "box-shadow:0 0 0 1px rgba(0,0,0,.65);line-height:1;text-decoration:none}\n"
    ".box b{position:absolute;left:-2px;bottom:100%;min-width:16px;padding:2px 3px;"
    "font-size:11px;white-space:nowrap;text-align:center;background:#fff;color:#111;"
    "border-radius:3px 3px 0 0}\n.box.in b{bottom:auto;top:-2px;border-radius:3px 0 4px 0}\n"
    ".box.good{border-color:#2fbf6b}.box.good b{background:#0f6b35;color:#fff}\n"
    ".box.warn{border-color:#f2b632;border-style:dashed}.box.warn b{background:#f2b632}\n"
    ".box.bad{border-style:dotted}\n"
    ".faces{list-style:none;margin:0;padding:0}\n"
    ".face{padding:16px 0;border-top:1px solid var(--line);scroll-margin-top:12px}\n"
    ".face:first-child{border-top:0;padding-top:0}\n"
    ".face:target{outline:2px solid var(--warn);outline-offset:6px;border-radius:6px}\n"
    ".pair{display:flex;gap:16px;align-items:flex-start}\n.chips{display:flex;gap:8px;flex:none}\n"
    ".chips figure{width:96px}\n.chips img,.strip img{width:96px;height:96px;object-fit:cover;"
    "border-radius:10px;display:block;background:var(--line)}\n"
    ".chips figcaption{text-align:center;line-height:1.25}\n.say{flex:1;min-width:0}\n"
    ".big{font-size:1.15rem;font-weight:650;line-height:1.3;margin:0 0 4px}\n"
    ".tag{display:inline-block;font-size:.8125rem;font-weight:650;line-height:1.4;padding:1px 9px;"
    "border-radius:99px;background:var(--line);margin-right:6px}\n"
    ".tag.good{background:var(--goodbg);color:var(--good)}\n"
    ".tag.bad{background:var(--badbg);color:var(--bad)}\n"
    ".tag.warn{background:var(--warnbg);color:var(--warn)}\n.warnline{color:var(--warn)}\n"
    ".axis{position:relative;height:8px;border-radius:99px;margin:20px 0 26px;background:"
    "var(--badbg);border:1px solid var(--line)}\n"
    ".axis i{position:absolute;top:-1px;bottom:-1px;right:0;border-radius:0 99px 99px 0;"
    "background:var(--goodbg)}\n.axis i.mid{background:var(--warnbg);border-radius:0}\n"
    ".axis u{position:absolute;top:-5px;bottom:-5px;width:2px;margin-left:-1px;"
    "background:var(--soft)}\n"
    ".axis s{position:absolute;top:-5px;width:16px;height:16px;margin-left:-8px;"
    "border-radius:99px;background:var(--ink);border:3px solid var(--card);text-decoration:none}\n"
    ".axis span{position:absolute;font-size:.75rem;line-height:1;color:var(--soft);"
    "white-space:nowrap}\n.axis .t{top:15px;transform:translateX(-50%)}\n"
    ".axis .e{top:15px}\n"
    ".axis .v{top:-20px;transform:translateX(-50%);color:var(--ink);font-weight:650}\n"
    "details{margin-top:6px}\nsummary{cursor:pointer;color:var(--soft);font-size:.875rem}\n"
    ".scroll{overflow-x:auto}\n"
    "table{border-collapse:collapse;width:100%;font-size:.875rem;margin-top:6px}\n"
    "th,td{text-align:left;padding:4px 10px 4px 0;border-bottom:1px solid var(--line);"
    "vertical-align:top}\nth{font-weight:600;color:var(--soft)}\n"
    ".num{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}\n"
    ".people{display:grid;grid-template-columns:repeat(auto-fill,minmax(240px,1fr));gap:16px}\n"
    ".strip{display:flex;flex-wrap:wrap;gap:6px;margin-top:8px}\n"
    ".strip img{width:64px;height:64px;border-radius:8px}\n"
    ".facts{display:flex;flex-wrap:wrap;gap:8px 28px;margin:12px 0 0}\n"
    ".facts div{min-width:72px}.facts dt{color:var(--soft);font-size:.8125rem}\n"
    ".facts dd{margin:0;font-size:1.35rem;font-weight:650;line-height:1.2;"
    "font-variant-numeric:tabular-nums}\n"
    ".many{display:grid;grid-template-columns:repeat(auto-fill,minmax(230px,1fr));gap:14px 20px;"
    "list-style:none;margin:12px 0 0;padding:0}\n"
    ".many li{display:grid;grid-template-columns:56px minmax(0,1fr);gap:10px;"
    "scroll-margin-top:12px}\n.many img{width:56px;height:56px;border-radius:8px;display:block}\n"
    ".many p{font-size:.875rem;line-height:1.35;margin:0}\n"
    ".many li:target{outline:2px solid var(--warn);outline-offset:4px;border-radius:6px}\n"
    ".refused{display:grid;grid-template-columns:72px minmax(0,1fr);gap:12px;padding:10px 0;"
    "border-top:1px solid var(--line)}\n"
    ".refused img{width:72px;height:72px;object-fit:cover;border-radius:8px;display:block}\n"
    ".refused:first-of-type{border-top:0}\n"
    "@media(max-width:760px){main,footer{padding:0 14px}.card{padding:14px;margin:14px 0}"
    ".cols{grid-template-columns:minmax(0,1fr)}.cols.even{gap:12px}"
    ".pair{flex-direction:column;gap:12px}.say{width:100%}"
    ".sticky{position:static}.frame>img{max-height:none}"
    ".box b{font-size:10px;min-width:13px;padding:1px 2px}}\n"
    "@media print{body{background:#fff}.card{break-inside:avoid}}\n"
    "</style>\n";

/* ------------------------------------------------------------------ the file */

static int cannot_write(html *page, const command *self, const common *o)
{
    const int why = errno;

    html_abandon(page);
    return common_refuse(self, o, DPL_E_SYSTEM, "cannot write \"%s\": %s", o->html, strerror(why));
}

int html_open(html *page, const command *self, const common *o, const char *heading)
{
    const char *path = o->html;
    struct stat st;
    int fd;

    *page = (html){.has_pictures = true};
    if (!path)
        return 0;
    /* A link stays a link, and what is no file is not replaced by one. */
    page->target = realpath(path, NULL);
    if (!page->target && errno != ENOENT)
        return cannot_write(page, self, o);
    if (!page->target)
        page->target = text_format("%s", path);
    if (stat(page->target, &st) == 0 && !S_ISREG(st.st_mode)) {
        errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
        return cannot_write(page, self, o);
    }
    page->aside = text_format("%s.XXXXXX", page->target);
    fd = mkostemp(page->aside, O_CLOEXEC);
    if (fd < 0) {
        free(page->aside);
        page->aside = NULL;
        return cannot_write(page, self, o);
    }
    page->f = fdopen(fd, "w");
    if (!page->f) {
        close(fd);
        return cannot_write(page, self, o);
    }
    fputs(head, page->f);
    fputs("<title>", page->f);
    html_text(page, heading);
    fputs("</title>\n", page->f);
    fputs(style, page->f);
    fputs("</head>\n<body>\n<main>\n<h1>", page->f);
    html_text(page, heading);
    fputs("</h1>\n", page->f);
    return 0;
}

int html_close(html *page, const command *self, const common *o)
{
    bool failed;

    if (!page->f)
        return 0;
    fprintf(page->f,
            "</main>\n<footer><p>Made by doppel %s on this machine; the page loads nothing from "
            "the network.%s</p></footer>\n</body>\n</html>\n",
            dpl_version(),
            page->has_pictures ? " It holds pictures of faces: keep it as you keep the photos."
                               : "");
    failed = fflush(page->f) != 0 || ferror(page->f) || fsync(fileno(page->f)) != 0;
    failed = fclose(page->f) != 0 || failed;
    page->f = NULL;
    if (failed || rename(page->aside, page->target) != 0)
        return cannot_write(page, self, o);
    free(page->aside);
    page->aside = NULL;
    html_abandon(page);
    return 0;
}

void html_abandon(html *page)
{
    if (page->f)
        fclose(page->f);
    if (page->aside)
        unlink(page->aside);
    free(page->aside);
    free(page->target);
    *page = (html){0};
}

/* ------------------------------------------------------------------ text and pictures */

void html_text(const html *page, const char *bytes)
{
    char *shown = text_shown(bytes);

    for (const char *s = shown; *s; s++)
        switch (*s) {
        case '&': fputs("&amp;", page->f); break;
        case '<': fputs("&lt;", page->f); break;
        case '>': fputs("&gt;", page->f); break;
        case '"': fputs("&quot;", page->f); break;
        case '\'': fputs("&#39;", page->f); break;
        default: fputc(*s, page->f);
        }
    free(shown);
}

void html_fact(const html *page, const char *name, const char *format, ...)
{
    char *value = NULL;
    va_list args;

    va_start(args, format);
    if (vasprintf(&value, format, args) < 0)
        text_need(NULL);
    va_end(args);
    fputs("<div><dt>", page->f);
    html_text(page, name);
    fputs("</dt><dd>", page->f);
    html_text(page, value);
    fputs("</dd></div>\n", page->f);
    free(value);
}

void html_paragraph(const html *page, const char *class_name, const char *text)
{
    if (!page->f)
        return;
    fprintf(page->f, "<p class=\"%s\">", class_name);
    html_text(page, text);
    fputs("</p>\n", page->f);
}

static void put_base64(FILE *f, const uint8_t *bytes, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < n; i += 3) {
        const size_t left = n - i;
        const uint32_t v = (uint32_t)bytes[i] << 16 | (left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) |
                           (left > 2 ? (uint32_t)bytes[i + 2] : 0);
        const char four[4] = {digits[v >> 18], digits[v >> 12 & 63],
                              left > 1 ? digits[v >> 6 & 63] : '=',
                              left > 2 ? digits[v & 63] : '='};
        fwrite(four, 1, 4, f);
    }
}

void html_jpeg(const html *page, const uint8_t *jpeg, size_t n, const char *alt)
{
    if (!jpeg || n == 0)
        return;
    fputs("<img alt=\"", page->f);
    html_text(page, alt);
    fputs("\" src=\"data:image/jpeg;base64,", page->f);
    put_base64(page->f, jpeg, n);
    fputs("\">", page->f);
}

static void put_image(const html *page, const dpl_image *image, const char *alt)
{
    uint8_t *jpeg = NULL;
    size_t n = 0;

    if (dpl_image_to_jpeg(&jpeg, &n, image, 85, NULL) == DPL_OK)
        html_jpeg(page, jpeg, n, alt);
    dpl_bytes_free(jpeg);
}

void html_chip(const html *page, const dpl_encoder *encoder, const dpl_photo *photo, size_t face,
               const char *alt)
{
    const int32_t w = dpl_encoder_width_px(encoder), h = dpl_encoder_height_px(encoder);
    const uint8_t *chip = photo->chips + face * (size_t)w * (size_t)h * 3;
    dpl_image image = DPL_IMAGE_INIT;

    if (dpl_image_from_rgb(&image, chip, w, h, (size_t)w * 3, NULL) == DPL_OK)
        put_image(page, &image, alt);
    dpl_image_clear(&image);
}

/* ------------------------------------------------------------------ a photo and its faces */

const char *html_class(dpl_decision decision)
{
    switch (decision) {
    case DPL_DECISION_MATCH: return "good";
    case DPL_DECISION_NO_MATCH: return "bad";
    case DPL_DECISION_INCONCLUSIVE:
    case DPL_DECISION_TOO_POOR: return "warn";
    case DPL_DECISION_NONE: break;
    }
    return "plain";
}

static void put_box(const html *page, const dpl_image *image, const html_box *box)
{
    const dpl_face *face = box->face;
    const double w = image->full_width_px, h = image->full_height_px;
    const double left = fmax(0, (double)face->x_px / w), top = fmax(0, (double)face->y_px / h);
    const double right = fmin(1, (double)(face->x_px + face->w_px) / w);
    const double bottom = fmin(1, (double)(face->y_px + face->h_px) / h);

    if (!(right > left && bottom > top))
        return;
    fprintf(page->f,
            "<%s class=\"box %s%s\" style=\"left:%.2f%%;top:%.2f%%;width:%.2f%%;height:%.2f%%\"",
            box->anchor ? "a" : "span", html_class(box->decision), top < 0.04 ? " in" : "",
            100 * left, 100 * top, 100 * (right - left), 100 * (bottom - top));
    if (box->anchor)
        fprintf(page->f, " href=\"#%s\"", box->anchor);
    fputs(" title=\"", page->f);
    html_text(page, box->label);
    fprintf(page->f, "\"><b>%d</b></%s>\n", (int)box->number, box->anchor ? "a" : "span");
}

void html_photo(const html *page, const dpl_photo *photo, const char *name, const html_box *boxes,
                size_t n)
{
    const dpl_image *image = &photo->image;
    const int32_t larger = image->width_px > image->height_px ? image->width_px : image->height_px;
    dpl_image small = DPL_IMAGE_INIT;
    const dpl_image *shown = image;

    if (larger > PHOTO_SIDE_PX) {
        const int32_t w = (int32_t)((int64_t)image->width_px * PHOTO_SIDE_PX / larger);
        const int32_t h = (int32_t)((int64_t)image->height_px * PHOTO_SIDE_PX / larger);
        if (dpl_image_resize(&small, image, w > 0 ? w : 1, h > 0 ? h : 1, NULL) == DPL_OK)
            shown = &small;
    }
    fputs("<figure><div class=\"frame\">", page->f);
    put_image(page, shown, name);
    fputc('\n', page->f);
    for (size_t i = 0; i < n; i++)
        put_box(page, image, &boxes[i]);
    fputs("</div><figcaption>", page->f);
    html_text(page, name);
    fprintf(page->f, ", %d × %d pixels", (int)image->full_width_px, (int)image->full_height_px);
    if (image->warning[0]) {
        fputs("; <span class=\"warnline\">", page->f);
        html_text(page, image->warning);
        fputs("</span>", page->f);
    }
    fputs("</figcaption></figure>\n", page->f);
    dpl_image_clear(&small);
}

/* ------------------------------------------------------------------ scores */

void html_verdict(const html *page, dpl_decision decision, const char *words)
{
    if (decision == DPL_DECISION_NONE)
        return;
    fprintf(page->f, "<span class=\"tag %s\">", html_class(decision));
    html_text(page, words);
    fputs("</span>", page->f);
}

void html_axis(const html *page, const dpl_head *head_used, const dpl_policy *policy, float score,
               dpl_decision decision)
{
    const dpl_head_kind kind = dpl_head_get_kind(head_used);
    const bool zone = policy->decides && policy->reject < policy->threshold;
    double low = kind == DPL_HEAD_EUCLIDEAN ? -2 : kind == DPL_HEAD_COSINE ? -0.2 : 0;
    const double high = kind == DPL_HEAD_EUCLIDEAN ? 0 : 1;

    if (!isfinite(score))
        return;
    low = fmin(low, (double)score);
    const double at = fmin(1, fmax(0, ((double)score - low) / (high - low))) * 100;
    fputs("<div class=\"axis\" role=\"img\" aria-label=\"score ", page->f);
    fprintf(page->f, "%.2f", (double)score);
    if (policy->decides)
        fprintf(page->f, ", threshold %.2f: %s", (double)policy->threshold,
                dpl_decision_words(decision));
    fputs("\">", page->f);
    if (policy->decides) {
        const double threshold =
            fmin(1, fmax(0, ((double)policy->threshold - low) / (high - low))) * 100;
        const double reject = fmin(1, fmax(0, ((double)policy->reject - low) / (high - low))) * 100;
        fprintf(page->f, "<i style=\"left:%.2f%%\"></i>", threshold);
        if (zone)
            fprintf(page->f, "<i class=\"mid\" style=\"left:%.2f%%;right:%.2f%%\"></i>", reject,
                    100 - threshold);
        fprintf(page->f,
                "<u style=\"left:%.2f%%\"></u><span class=\"t\" style=\"left:%.2f%%\">threshold "
                "%.2f</span>",
                threshold, threshold, (double)policy->threshold);
    }
    fprintf(page->f,
            "<s style=\"left:%.2f%%\"></s><span class=\"v\" style=\"left:%.2f%%\">%.2f</span>"
            "<span class=\"e\" style=\"left:0\">%.1f</span><span class=\"e\" style=\"right:0\">"
            "%.0f</span></div>\n",
            at, fmin(96, fmax(4, at)), (double)score, low, high);
}

void html_quality(const html *page, const dpl_face *face)
{
    const dpl_quality *q = &face->quality;

    if (!q->weakest[0])
        return;
    fprintf(page->f, "<p class=\"%s\">quality %.2f",
            q->overall < POOR_QUALITY ? "warnline" : "soft", (double)q->overall);
    if (q->overall < 0.995f)
        fprintf(page->f, ", %s: %s", q->overall < POOR_QUALITY ? "poor" : "least good", q->weakest);
    fprintf(page->f, "; face %.0f px, turned %.0f° sideways, %.0f° up or down, tilted %.0f°</p>\n",
            (double)face->w_px, fabs((double)q->yaw_deg), fabs((double)q->pitch_deg),
            fabs((double)q->roll_deg));
}
