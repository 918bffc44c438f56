/*
 * keys.c - keys and passphrases: from files, from systemd, from the terminal.
 */
#include "app/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "app/answer_gallery.h"
#include "app/json_print.h"
#include "app/text.h"

void keys_clear(keys *k)
{
    free(k->file);
    free(k->prompt);
    explicit_bzero(k, sizeof *k);
}

__attribute__((format(printf, 2, 3))) static dpl_status refuse(dpl_error *err, const char *format,
                                                               ...)
{
    va_list args;

    err->status = DPL_E_GALLERY;
    va_start(args, format);
    vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    return DPL_E_GALLERY;
}

/* ------------------------------------------------------------------ from a file */

/* A first line without its end; /dev/fd/N is a descriptor that was handed over. */
static dpl_status read_passphrase(keys *k, const char *path, dpl_error *err)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    uint8_t *end;
    size_t n = 0;
    ssize_t got = 1;

    while (fd >= 0 && got > 0 && n < sizeof k->secret) {
        got = read(fd, k->secret + n, sizeof k->secret - n);
        if (got < 0 && errno == EINTR) {
            got = 1;
            continue;
        }
        n += got > 0 ? (size_t)got : 0;
    }
    if (fd < 0 || got < 0) {
        const int why = errno;

        if (fd >= 0)
            close(fd);
        return refuse(err, "passphrase file \"%.200s\": %s", path, strerror(why));
    }
    close(fd);
    end = memchr(k->secret, '\n', n);
    k->key.secret = k->secret;
    k->key.n_secret = end ? (size_t)(end - k->secret) : n;
    if (k->key.n_secret > 0 && k->secret[k->key.n_secret - 1] == '\r')
        k->key.n_secret--;
    if (k->key.n_secret == 0)
        return refuse(err, "passphrase file \"%.200s\" is empty", path);
    if (!end && n == sizeof k->secret)
        return refuse(err, "passphrase file \"%.200s\" is too long, the limit is %d bytes", path,
                      DPL_SECRET_MAX_BYTES - 1);
    return DPL_OK;
}

/* ------------------------------------------------------------------ from the terminal */

static volatile sig_atomic_t stopped_by;

static void note_signal(int signal)
{
    stopped_by = signal;
}

/* What is typed, until a line ends or a signal that would end the program comes. */
static ssize_t read_line(int tty, uint8_t *line, size_t room)
{
    static const int ends[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    enum { N_ENDS = sizeof ends / sizeof *ends };
    const struct sigaction note = {.sa_handler = note_signal};
    struct sigaction before[N_ENDS];
    ssize_t n;

    stopped_by = 0;
    for (int i = 0; i < N_ENDS; i++)
        sigaction(ends[i], &note, &before[i]);
    do
        n = read(tty, line, room);
    while (n < 0 && errno == EINTR && !stopped_by);
    for (int i = 0; i < N_ENDS; i++)
        sigaction(ends[i], &before[i], NULL);
    return n;
}

/* A line that is not shown while it is typed; -1: there is none. The terminal shows again what is
   typed when the program ends there. */
static ssize_t type_line(const char *prompt, uint8_t *line, size_t room)
{
    const int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    struct termios shown, hidden;
    ssize_t n = -1;

    if (tty < 0)
        return -1;
    if (tcgetattr(tty, &shown) != 0) {
        close(tty);
        return -1;
    }
    hidden = shown;
    hidden.c_lflag &= ~(tcflag_t)ECHO;
    hidden.c_lflag |= ICANON | ISIG;
    if (tcsetattr(tty, TCSAFLUSH, &hidden) == 0 && write(tty, prompt, strlen(prompt)) >= 0) {
        n = read_line(tty, line, room);
        tcsetattr(tty, TCSAFLUSH, &shown);
        (void)!write(tty, "\n", 1);
    }
    close(tty);
    if (stopped_by)
        raise(stopped_by);
    while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r'))
        n--;
    return n;
}

static dpl_status ask(void *ctx, const char *file, uint8_t *secret, size_t room, size_t *n,
                      dpl_error *err)
{
    const keys *k = ctx;
    const char *what = k->prompt ? k->prompt : "passphrase";
    char *prompt = text_format("%s (%s): ", what, file);
    uint8_t again[DPL_SECRET_MAX_BYTES];
    ssize_t typed = type_line(prompt, secret, room), repeated;
    dpl_status status = DPL_OK;

    free(prompt);
    if (typed < 0)
        return refuse(err, "a passphrase is wanted, and was not given: --passphrase-file FILE says "
                           "it where there is no terminal to type it on");
    if (k->twice) {
        prompt = text_format("%s, again: ", what);
        repeated = type_line(prompt, again, sizeof again);
        free(prompt);
        if (repeated != typed || memcmp(again, secret, (size_t)typed) != 0)
            status = refuse(err, "that was not the same passphrase twice");
        explicit_bzero(again, sizeof again);
    }
    if (status == DPL_OK && typed == 0)
        status = refuse(err, "the passphrase is empty");
    *n = (size_t)typed;
    return status;
}

/* ------------------------------------------------------------------ what the options say */

dpl_status keys_of(keys *out, const char *key_file, const char *passphrase_file, bool asked,
                   bool is_new, const char *what, dpl_error *err)
{
    dpl_key_options_init(&out->key, sizeof out->key);
    out->key.key_file = key_file;
    out->prompt = what ? text_format("%s", what) : NULL;
    out->twice = is_new;
    if (passphrase_file)
        return read_passphrase(out, passphrase_file, err);
    if (asked) {
        out->key.ask = ask;
        out->key.ctx = out;
    }
    return DPL_OK;
}

/* The path of a credential that the service was given; NULL: it was not. */
static char *credential(const char *name)
{
    const char *folder = getenv("CREDENTIALS_DIRECTORY");
    char *path = folder && folder[0] == '/' ? text_format("%s/%s", folder, name) : NULL;

    if (path && access(path, R_OK) != 0) {
        free(path);
        path = NULL;
    }
    return path;
}

dpl_status keys_of_gallery(keys *out, const common *o, dpl_error *err)
{
    char *passphrase = o->passphrase_file ? NULL : credential("doppel.passphrase");
    dpl_status status;

    out->file = o->key_file ? NULL : credential("doppel.key");
    status = keys_of(out, o->key_file ? o->key_file : out->file,
                     o->passphrase_file ? o->passphrase_file : passphrase, true, false, NULL, err);
    free(passphrase);
    return status;
}

/* ------------------------------------------------------------------ told */

void tell_encryption(const command *self, bool json, bool quiet, const char *did,
                     const dpl_gallery *gallery)
{
    const char *dir = dpl_gallery_dir(gallery);
    const size_t n = strlen(dir);
    dpl_encryption is;

    dpl_gallery_encryption(&is, gallery);
    if (json) {
        json_print(encryption_json(did, dir, &is));
        return;
    }
    text_put(stdout, dir);
    if (!is.is_encrypted) {
        puts(" is plain");
        return;
    }
    fputs(" is encrypted; its key is ", stdout);
    text_put(stdout, is.key_file);
    puts(is.has_secret ? ", which a passphrase opens" : "; whoever has that file reads it");
    if (!quiet && strncmp(is.key_file, dir, n) == 0 && is.key_file[n] == '/')
        fprintf(stderr,
                "doppel %s: the key is in the gallery's folder: a copy of the folder is as safe as "
                "the passphrase, and forget does not reach copies made before (--key-file keeps "
                "the key elsewhere)\n",
                self->name);
}
