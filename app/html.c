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
#include <time.h>
#include <unistd.h>

#include "app/model_name.h"

#define PHOTO_SIDE_PX     900
#define PORTRAIT_WIDTH_PX 224

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
    ".verdict{display:flex;align-items:flex-start;gap:10px}.verdict svg{flex:none;width:1.25em;"
    "height:1.25em;fill:none;stroke:currentColor;stroke-width:2.2;stroke-linecap:round;"
    "stroke-linejoin:round}\n"
    ".verdict.good{color:var(--good)}.verdict.bad{color:var(--bad)}.verdict.warn{color:var(--warn)}"
    ".verdict span{color:var(--ink)}\n"
    ".card>.verdict{margin:0 0 "
    "12px}.verdict+.lead{margin-top:-4px}.card>.lead{margin-bottom:12px}\n"
    ".lead{font-size:1.1rem;line-height:1.4;margin:0 0 4px}\n"
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
    ".chips figure{width:112px}.chips.large figure{width:152px}\n"
    ".chips img,.strip img,.many img,.refused img{display:block;width:100%;height:auto;"
    "border-radius:10px;background:var(--line)}\n"
    ".chips figcaption{text-align:center;line-height:1.25}\n.say{flex:1;min-width:0}\n"
    ".big{font-size:1.15rem;font-weight:650;line-height:1.3;margin:0 0 4px}\n"
    ".tag{display:inline-block;font-size:.8125rem;font-weight:650;line-height:1.4;padding:1px 9px;"
    "border-radius:99px;background:var(--line);margin-right:6px}\n"
    ".tag.good{background:var(--goodbg);color:var(--good)}\n"
    ".tag.bad{background:var(--badbg);color:var(--bad)}\n"
    ".tag.warn{background:var(--warnbg);color:var(--warn)}\n.warnline{color:var(--warn)}\n"
    "details{margin-top:6px}\nsummary{cursor:pointer;color:var(--soft);font-size:.875rem}\n"
    ".scroll{overflow-x:auto}\n"
    "table{border-collapse:collapse;width:100%;font-size:.875rem;margin-top:6px}\n"
    "th,td{text-align:left;padding:4px 10px 4px 0;border-bottom:1px solid var(--line);"
    "vertical-align:top}\nth{font-weight:600;color:var(--soft)}\n"
    ".num{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}\n"
    ".people{display:grid;grid-template-columns:repeat(auto-fill,minmax(240px,1fr));gap:16px}\n"
    ".strip{display:flex;flex-wrap:wrap;gap:6px;margin-top:8px}\n"
    ".strip img{width:64px;border-radius:8px}\n"
    ".facts{display:flex;flex-wrap:wrap;gap:8px 28px;margin:12px 0 0}\n"
    ".facts div{min-width:72px}.facts dt{color:var(--soft);font-size:.8125rem}\n"
    ".facts dd{margin:0;font-size:1.35rem;font-weight:650;line-height:1.2;"
    "font-variant-numeric:tabular-nums}\n"
    ".many{display:grid;grid-template-columns:repeat(auto-fill,minmax(230px,1fr));gap:14px 20px;"
    "list-style:none;margin:12px 0 0;padding:0}\n"
    ".many li{display:grid;grid-template-columns:56px minmax(0,1fr);gap:10px;"
    "scroll-margin-top:12px}\n"
    ".many p{font-size:.875rem;line-height:1.35;margin:0}\n"
    ".many li:target{outline:2px solid var(--warn);outline-offset:4px;border-radius:6px}\n"
    ".refused{display:grid;grid-template-columns:72px minmax(0,1fr);gap:12px;padding:10px 0;"
    "border-top:1px solid var(--line)}\n"
    ".refused:first-of-type{border-top:0}\n"
    ".plot{margin-top:8px}.plot svg{display:block;width:100%;max-width:520px;height:auto;"
    "font-size:12.5px;fill:var(--ink)}\n"
    ".plot .grid{stroke:var(--line)}.plot .curve{fill:none;stroke:var(--good);stroke-width:2.5}"
    ".plot .bar{stroke:var(--ink)}.plot .dot{fill:var(--ink)}\n"
    ".plot .halo{paint-order:stroke;stroke:var(--card);stroke-width:4px;stroke-linejoin:round}\n"
    "table.made th{width:8.5em}.mono{font-family:ui-monospace,\"DejaVu Sans Mono\",monospace;"
    "font-size:.8125rem}\n"
    "@media screen and (max-width:760px){main,footer{padding:0 14px}.card{padding:14px;margin:14px "
    "0}"
    "table.stack,table.stack tbody,table.stack tr,table.stack td{display:block;text-align:left}"
    "table.stack tr.heads{display:none}table.stack tr{padding:8px 0;"
    "border-bottom:1px solid var(--line)}table.stack td{display:flex;justify-content:space-between;"
    "gap:16px;border:0;padding:1px 0;white-space:normal}"
    "table.stack td::before{content:attr(data-name);color:var(--soft)}"
    ".cols{grid-template-columns:minmax(0,1fr)}.cols.even{gap:12px}"
    ".pair{flex-direction:column;gap:12px}.say{width:100%}"
    ".sticky{position:static}.frame>img{max-height:none}"
    ".box b{font-size:10px;min-width:13px;padding:1px 2px}}\n"
    "@page{margin:12mm}\n"
    "@media print{:root{--bg:#fff;--card:#fff;--ink:#000;--soft:#444;--line:#bbb;--good:#0b5a2a;"
    "--bad:#8c1c16;--warn:#6b4600;--goodbg:#fff;--badbg:#fff;--warnbg:#fff}"
    "body{background:#fff;font-size:9.5pt;line-height:1.35}main,footer{max-width:none;padding:0}"
    "h1{margin-top:0;font-size:15pt}.lead{font-size:11pt}footer{padding:0}"
    ".card{break-inside:avoid;border-radius:0;padding:6px 8px;margin:6px 0}.tag{border:1px solid}"
    ".card.photo+.card.photo{break-before:page}.sticky{position:"
    "static}"
    ".cols{grid-template-columns:minmax(0,4fr) minmax(0,5fr);gap:10px}"
    ".cols.even{grid-template-columns:1fr 1fr}.frame>img{max-height:84mm}"
    ".plot svg{max-width:74mm}.plot figcaption,.soft,figcaption,footer,table{font-size:7.5pt}"
    ".many{grid-template-columns:repeat(5,1fr);gap:4px 6px}"
    ".many li{grid-template-columns:28px minmax(0,1fr);gap:5px}.many p{font-size:6.5pt;"
    "line-height:1.2}.face{padding:6px 0;break-inside:avoid}.pair{gap:8px}"
    ".chips figure{width:62px}.chips.large figure{width:104px}"
    "th,td{padding:2px 8px 2px 0}details:not([open]){display:none}}\n"
    "</style>\n";

/* ------------------------------------------------------------------ the file */

static int cannot_write(html *page, const command *self, const common *o)
{
    const int why = errno;

    html_abandon(page);
    return common_refuse(self, o, DPL_E_SYSTEM, "cannot write \"%s\": %s", o->html, strerror(why));
}

/* The page is made in memory, and what the command prints besides goes nowhere: nothing but a whole
 * page comes out. */
static int open_to_output(html *page, const command *self, const common *o)
{
    int nowhere;

    if (o->json)
        return common_refuse(self, o, DPL_E_ARGUMENT,
                             "--json and --html - are both of standard output: one of them");
    if (fflush(stdout) != 0)
        return cannot_write(page, self, o);
    page->out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (page->out < 0 || nowhere < 0 || dup2(nowhere, STDOUT_FILENO) < 0) {
        const int why = errno;
        if (nowhere >= 0)
            close(nowhere);
        errno = why;
        return cannot_write(page, self, o);
    }
    close(nowhere);
    page->f = text_need(open_memstream(&page->whole, &page->n_whole));
    return 0;
}

static bool write_whole(int fd, const char *bytes, size_t n)
{
    while (n > 0) {
        const ssize_t wrote = write(fd, bytes, n);

        if (wrote < 0 && errno != EINTR)
            return false;
        bytes += wrote > 0 ? wrote : 0;
        n -= wrote > 0 ? (size_t)wrote : 0;
    }
    return close(fd) == 0;
}

static void begin(const html *page, const char *title)
{
    fputs(head, page->f);
    fputs("<title>", page->f);
    html_text(page, title);
    fputs("</title>\n", page->f);
    fputs(style, page->f);
    fputs("</head>\n<body>\n<main>\n", page->f);
}

int html_open(html *page, const command *self, const common *o, const char *title)
{
    const char *path = o->html;
    struct stat st;
    int fd;

    *page = (html){.has_pictures = true, .out = -1};
    if (!path)
        return 0;
    if (strcmp(path, "-") == 0) {
        const int code = open_to_output(page, self, o);
        if (!code)
            begin(page, title);
        return code;
    }
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
    begin(page, title);
    return 0;
}

void html_heading(const html *page, const char *text)
{
    if (!page->f)
        return;
    fputs("<h1>", page->f);
    html_text(page, text);
    fputs("</h1>\n", page->f);
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
    if (page->out >= 0) {
        if (fclose(page->f) != 0)
            text_need(NULL);
        page->f = NULL;
        failed = !write_whole(page->out, page->whole, page->n_whole);
        page->out = failed ? page->out : -1;
        if (failed)
            return cannot_write(page, self, o);
        html_abandon(page);
        return 0;
    }
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
    if (page->out > STDERR_FILENO)
        close(page->out);
    free(page->whole);
    free(page->aside);
    free(page->target);
    *page = (html){.out = -1};
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

/* A name and a value between the marks of a list or of a table. */
static void put_pair(const html *page, const char *const marks[3], const char *name,
                     const char *format, va_list args)
{
    char *value = NULL;

    if (vasprintf(&value, format, args) < 0)
        text_need(NULL);
    fputs(marks[0], page->f);
    html_text(page, name);
    fputs(marks[1], page->f);
    html_text(page, value);
    fputs(marks[2], page->f);
    free(value);
}

void html_fact(const html *page, const char *name, const char *format, ...)
{
    static const char *const marks[] = {"<div><dt>", "</dt><dd>", "</dd></div>\n"};
    va_list args;

    va_start(args, format);
    put_pair(page, marks, name, format, args);
    va_end(args);
}

/* A name too long for its place breaks after a slash before it does anywhere else. */
static void put_breakable(const html *page, const char *path)
{
    while (*path) {
        const size_t n = strcspn(path, "/");
        char *part = text_format("%.*s", (int)(n + (path[n] == '/')), path);

        html_text(page, part);
        if (path[n] == '/')
            fputs("<wbr>", page->f);
        path += strlen(part);
        free(part);
    }
}

void html_path(const html *page, const char *path)
{
    const char *home = getenv("HOME"), *shown = common_from_here(path);
    const size_t n_home = home ? strlen(home) : 0;
    const char *slash = strrchr(path, '/');

    if (shown == path && n_home > 1 && strncmp(path, home, n_home) == 0 && path[n_home] == '/') {
        fputs("~", page->f);
        shown = path + n_home;
    } else if (shown == path && path[0] == '/' && slash > path) {
        /* Of another place the folder tells whose it is, and the way there who keeps it. */
        const char *folder = memrchr(path, '/', (size_t)(slash - path));
        fputs(folder > path ? "…" : "", page->f);
        shown = folder ? folder : path;
    }
    put_breakable(page, shown);
}

/* ------------------------------------------------------------------ how it was made */

void html_row(const html *page, const char *name, const char *format, ...)
{
    static const char *const marks[] = {"<tr><th>", "</th><td>", "</td></tr>\n"};
    va_list args;

    va_start(args, format);
    put_pair(page, marks, name, format, args);
    va_end(args);
}

static void put_net(const html *page, const char *what, const dpl_net *net, const char *vectors)
{
    html_row(page, what, "%s; file %.12s, net %.12s%s%.12s", model_name(net),
             dpl_net_file_hash(net), dpl_net_hash(net), vectors ? ", vectors " : "",
             vectors ? vectors : "");
}

void html_made_begin(const html *page, const common *o)
{
    const time_t now = time(NULL);
    struct tm tm;
    char when[64] = "";

    if (localtime_r(&now, &tm))
        strftime(when, sizeof when, "%Y-%m-%d %H:%M %z", &tm);
    fputs("<section class=\"card\"><h2>How this was made</h2><table class=\"made\">\n", page->f);
    html_row(page, "date", "%s", when);
    if (o->typed)
        html_row(page, "command", "%s", o->typed);
}

void html_made(const html *page, const common *o, const dpl_pipeline *pipeline)
{
    const dpl_encoder *encoder = dpl_pipeline_encoder(pipeline);
    const dpl_encoder *image_encoder = dpl_pipeline_image_encoder(pipeline);
    const dpl_detector *detector = dpl_pipeline_detector(pipeline);
    const dpl_calibration *calibration = dpl_pipeline_calibration(pipeline);
    char count[64];

    html_made_begin(page, o);
    put_net(page, "encoder", dpl_encoder_net(encoder), dpl_encoder_hash(encoder));
    if (detector)
        put_net(page, "detector", dpl_detector_net(detector), NULL);
    if (image_encoder)
        put_net(page, "of pictures", dpl_encoder_net(image_encoder),
                dpl_encoder_hash(image_encoder));
    if (calibration)
        html_row(page, "rates", "measured on %s of strangers; by the %s calibration, %s",
                 text_counted(count, (int64_t)dpl_calibration_pairs(calibration), "pair"),
                 dpl_pipeline_calibration_is_given(pipeline) ? "gallery's own" : "encoder's",
                 dpl_calibration_source(calibration));
}

void html_made_text(const html *page, const common *o, const dpl_text_pipeline *pipeline)
{
    const dpl_text_encoder *encoder = dpl_text_pipeline_encoder(pipeline);
    const dpl_calibration *calibration = dpl_text_pipeline_calibration(pipeline);
    char count[64];

    html_made_begin(page, o);
    put_net(page, "of sentences", dpl_text_encoder_net(encoder), dpl_text_encoder_hash(encoder));
    if (calibration)
        html_row(page, "rates", "measured on %s of sentences that do not say the same; %s",
                 text_counted(count, (int64_t)dpl_calibration_pairs(calibration), "pair"),
                 dpl_calibration_source(calibration));
}

void html_made_end(const html *page)
{
    fputs("</table></section>\n", page->f);
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

void html_portrait(const html *page, const dpl_encoder *encoder, const dpl_photo *photo,
                   size_t face, const char *alt)
{
    const int32_t w = dpl_encoder_width_px(encoder), h = dpl_encoder_height_px(encoder);
    const uint8_t *chip = photo->chips + face * (size_t)w * (size_t)h * 3;
    dpl_image image = DPL_IMAGE_INIT;
    dpl_status status =
        dpl_portrait(&image, &photo->image, &photo->faces[face], PORTRAIT_WIDTH_PX, NULL);

    if (status == DPL_E_INPUT) /* a whole picture has no landmarks: as the encoder saw it */
        status = dpl_image_from_rgb(&image, chip, w, h, (size_t)w * 3, NULL);
    if (status == DPL_OK)
        put_image(page, &image, alt);
    dpl_image_clear(&image);
}

/* ------------------------------------------------------------------ a photo and its faces */

/* Class of a decision in the page's styles. */
static const char *class_of(dpl_decision decision)
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
            box->anchor ? "a" : "span", class_of(box->decision), top < 0.04 ? " in" : "",
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
    html_path(page, name);
    fprintf(page->f, ", %d × %d pixels", (int)image->full_width_px, (int)image->full_height_px);
    if (image->warning[0]) {
        fputs("; <span class=\"warnline\">", page->f);
        html_text(page, image->warning);
        fputs("</span>", page->f);
    }
    fputs("</figcaption></figure>\n", page->f);
    dpl_image_clear(&small);
}

/* ------------------------------------------------------------------ verdicts */

/* A mark that says the same as the colour: tick, cross, question mark, dash. */
static void put_icon(const html *page, dpl_decision decision)
{
    static const char *const paths[] = {
        [DPL_DECISION_NONE] = "M8 12h8",
        [DPL_DECISION_MATCH] = "M7.5 12.5l3 3 6-7",
        [DPL_DECISION_NO_MATCH] = "M8.5 8.5l7 7M15.5 8.5l-7 7",
        [DPL_DECISION_INCONCLUSIVE] =
            "M9.5 9.6a2.5 2.5 0 1 1 3.6 2.3c-.8.4-1.1.9-1.1 1.7M12 16.8v.1",
        [DPL_DECISION_TOO_POOR] = "M12 7.5v6M12 16.8v.1",
    };

    fprintf(page->f,
            "<svg viewBox=\"0 0 24 24\" aria-hidden=\"true\"><circle cx=\"12\" cy=\"12\" "
            "r=\"9.5\"/><path d=\"%s\"/></svg>",
            paths[decision]);
}

void html_headline(const html *page, const char *element, dpl_decision decision, const char *word,
                   const char *rest)
{
    fprintf(page->f, "<%s class=\"verdict %s\">", element, class_of(decision));
    put_icon(page, decision);
    fputs("<div>", page->f);
    html_text(page, word);
    if (rest[0]) {
        fputs(" <span>", page->f);
        html_text(page, rest);
        fputs("</span>", page->f);
    }
    fprintf(page->f, "</div></%s>\n", element);
}

void html_verdict(const html *page, dpl_decision decision, const char *words)
{
    fprintf(page->f, "<span class=\"tag %s\">", class_of(decision));
    html_text(page, words);
    fputs("</span>", page->f);
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
