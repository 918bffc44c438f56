/*
 * test_kills.c - a gallery in PostgreSQL whose clients, connections and server are killed at random
 * instants: what was said to be done is there, once, and nothing else but the one change that was
 * under way, whole or not at all.
 *
 * The same changes are made one after the other in a folder's gallery. After each kill the export
 * of the database is, to the byte, that of the folder after the changes that were reported, or
 * after one more.
 *
 * What is random comes from DOPPEL_SEED, or else from the clock, and is printed; DOPPEL_ROUNDS is
 * how often each is tried.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/rng.h"
#include "index/gallery.h"
#include "tests/index/gallery_kit.h"
#include "tests/postgres/postgres_kit.h"

static dpl_error err;
static dpli_rng rng;

enum { N_PATHS = 12, N_PEOPLE = 4 };

/* ------------------------------------------------------------------ changes, by number */

/* What the nth change comes to follows from n and the gallery alone. A status that the gallery's
   content gives (nobody of this name) is done as much as DPL_OK. */
static dpl_status change(dpl_gallery *gallery, uint64_t n, dpl_error *why)
{
    static const char *const people[N_PEOPLE] = {"ann", "bob", "cid", "dora"};
    char path[32];
    const char *paths[] = {path};
    dpl_forget_report report;
    dpli_rng own;
    dpl_status status;

    dpli_rng_seed(&own, n);
    snprintf(path, sizeof path, "/%d.jpg", (int)dpli_rng_below(&own, N_PATHS));
    switch (dpli_rng_below(&own, 12)) {
    case 0:
        status = dpl_gallery_rename(gallery, people[dpli_rng_below(&own, N_PEOPLE)],
                                    people[dpli_rng_below(&own, N_PEOPLE)], why);
        break;
    case 1:
        status = dpl_gallery_assign(gallery, 1 + (int64_t)dpli_rng_below(&own, 3 * n + 1),
                                    people[dpli_rng_below(&own, N_PEOPLE)], why);
        break;
    case 2: status = dpl_gallery_undo(gallery, why); break;
    case 3:
        if (n % 3 == 0) {
            status = dpl_gallery_forget(&report, gallery, NULL, paths, 1, false, why);
            break;
        }
        /* fallthrough */
    default:
        status = kit_put(gallery, n, path,
                         dpli_rng_below(&own, 4) ? people[dpli_rng_below(&own, N_PEOPLE)] : NULL,
                         dpli_rng_below(&own, 4), why);
    }
    switch (status) {
    case DPL_E_ARGUMENT:
    case DPL_E_NOT_FOUND:
    case DPL_E_NO_PERSON: return DPL_OK;
    default: return status;
    }
}

/* A client of its own: each change that is done is a byte in the pipe. Ends by itself at the first
   that is not, with what the program would end with. */
static pid_t start_client(int *told, const char *address, uint64_t first)
{
    int ends[2];
    pid_t pid;

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    fflush(NULL);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        dpl_gallery *gallery;
        dpl_error why = {DPL_OK, ""};
        dpl_status status = dpl_gallery_open(&gallery, address, DPL_GALLERY_WRITE, &why);

        close(ends[0]);
        for (uint64_t n = first; status == DPL_OK; n++) {
            status = change(gallery, n, &why);
            if (status == DPL_OK && write(ends[1], "", 1) != 1)
                _exit(0);
        }
        /* Clear, and of the statuses that say who can mend it. */
        if ((dpl_status_exit_code(status) != 4 && dpl_status_exit_code(status) != 5) ||
            !strstr(why.message, "kit_")) {
            fprintf(stderr, "%s: %s\n", dpl_status_name(status), why.message);
            _exit(99);
        }
        _exit(dpl_status_exit_code(status));
    }
    close(ends[1]);
    *told = ends[0];
    return pid;
}

/* Of the changes that were told, those read already. */
static uint64_t n_read;

/* All that were told: bytes are still to come until nobody holds the other end. */
static uint64_t count_told(int told)
{
    uint64_t n = n_read;
    char bytes[256];

    n_read = 0;

    for (ssize_t got = read(told, bytes, sizeof bytes); got > 0 || (got < 0 && errno == EINTR);
         got = read(told, bytes, sizeof bytes))
        n += got > 0 ? (uint64_t)got : 0;
    close(told);
    return n;
}

static int end_client(pid_t pid)
{
    int how;

    assert_int_equal(waitpid(pid, &how, 0), pid);
    return WIFEXITED(how) ? WEXITSTATUS(how) : 128 + WTERMSIG(how);
}

static void wait_ms(uint64_t ms)
{
    const struct timespec t = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};

    nanosleep(&t, NULL);
}

/* Until so many changes were told, and a while longer: a client on a loaded machine does nothing
   for as long as it pleases. */
static void wait_a_while(int told, uint64_t n)
{
    char byte;

    while (n_read < n && read(told, &byte, 1) == 1)
        n_read++;
    wait_ms(dpli_rng_below(&rng, 200));
}

/* ------------------------------------------------------------------ the two galleries */

typedef struct twins {
    char *address, *dir;
    dpl_gallery *folder; /* after n changes */
    uint64_t n, n_done, n_under_way;
} twins;

static void twins_begin(twins *t)
{
    static char dir[] = "twin-XXXXXX";

    memcpy(dir, "twin-XXXXXX", sizeof dir);
    assert_non_null(mkdtemp(dir));
    t->dir = dir;
    t->folder = kit_new(dir);
    t->address = postgres_kit_new(NULL);
    dpl_gallery_close(kit_open(t->address, DPL_GALLERY_MIGRATE));
    dpl_gallery_close(kit_new(t->address));
    t->n = dpli_rng_u64(&rng) >> 40;
}

static void twins_end(twins *t)
{
    char command[64];

    dpl_gallery_close(t->folder);
    snprintf(command, sizeof command, "rm -rf %s", t->dir);
    assert_int_equal(system(command), 0);
    free(t->address);
}

static char *export_of(const char *address)
{
    dpl_gallery *gallery = kit_open(address, DPL_GALLERY_READ);
    char *text = kit_dump(gallery);

    dpl_gallery_close(gallery);
    return text;
}

/* done changes were reported since the last time. */
static void twins_compare(twins *t, uint64_t done, const char *what)
{
    char *there = export_of(t->address), *here;

    for (uint64_t i = 0; i < done; i++)
        kit_expect(DPL_OK, change(t->folder, t->n++, &err), &err);
    here = kit_dump(t->folder);
    if (strcmp(here, there) != 0) {
        free(here);
        kit_expect(DPL_OK, change(t->folder, t->n++, &err), &err);
        here = kit_dump(t->folder);
        t->n_under_way++;
        if (strcmp(here, there) != 0) {
            kit_write("here.jsonl", here, strlen(here));
            kit_write("there.jsonl", there, strlen(there));
            fail_msg("after %s at change %llu the database is another gallery", what,
                     (unsigned long long)t->n);
        }
    }
    t->n_done += done;
    free(here);
    free(there);
}

static int rounds(int usual)
{
    const char *text = getenv("DOPPEL_ROUNDS");

    return text ? atoi(text) : usual;
}

static void tell(const char *what, int n, const twins *t)
{
    print_message("%d times %s: %llu changes reported, all there; of those under way %llu were "
                  "done, %llu were not\n",
                  n, what, (unsigned long long)t->n_done, (unsigned long long)t->n_under_way,
                  (unsigned long long)((uint64_t)n - t->n_under_way));
}

/* ------------------------------------------------------------------ kills */

static void a_client_killed_at_any_instant_loses_and_doubles_nothing(void **state)
{
    twins t = {0};
    const int n = rounds(12);

    (void)state;
    twins_begin(&t);
    for (int i = 0; i < n; i++) {
        int told;
        pid_t pid = start_client(&told, t.address, t.n);

        wait_a_while(told, (uint64_t)i % 4);
        kill(pid, SIGKILL);
        assert_int_equal(end_client(pid), 128 + SIGKILL);
        twins_compare(&t, count_told(told), "kill -9 of a client");
    }
    tell("kill -9 of a client", n, &t);
    twins_end(&t);
}

/* Whoever serves a client of this database; 0: nobody now. */
static pid_t backend_of(const char *address)
{
    char *text = postgres_kit_ask(address, "SELECT max(pid) FROM pg_stat_activity WHERE datname ="
                                           " current_database() AND pid <> pg_backend_pid()");
    const pid_t pid = (pid_t)atoi(text);

    free(text);
    return pid;
}

static void server(const char *command)
{
    char line[8192];

    snprintf(line, sizeof line, "sh '%s/tests/postgres/server.sh' %s '%s'", DPL_SOURCE_DIR, command,
             getenv("DOPPEL_TEST_POSTGRES"));
    assert_int_equal(system(line), 0);
}

/* A server does not notice at once that one of its processes was killed. */
static void wait_until_it_serves_anew(const char *address, int life)
{
    for (int now = postgres_kit_life(address); now == 0 || now == life;
         now = postgres_kit_life(address))
        wait_ms(25);
}

/* The client's word for what has happened is 4 or 5, in words that name the database. */
static void expect_told(int code)
{
    if (code != 4 && code != 5)
        fail_msg("the client ends with %d", code);
}

static void a_connection_cut_by_the_server_loses_and_doubles_nothing(void **state)
{
    twins t = {0};
    const int n = rounds(8);

    (void)state;
    twins_begin(&t);
    for (int i = 0; i < n; i++) {
        int told;
        pid_t pid = start_client(&told, t.address, t.n), backend;

        wait_a_while(told, (uint64_t)i % 4);
        for (int code, tries = 0;; tries++) {
            char sql[80];

            backend = backend_of(t.address);
            snprintf(sql, sizeof sql, "SELECT pg_terminate_backend(%d)", (int)backend);
            if (backend)
                free(postgres_kit_ask(t.address, sql));
            /* Cut between two changes, it connects again and goes on. */
            wait_ms(20);
            if (waitpid(pid, &code, WNOHANG) == pid) {
                assert_true(WIFEXITED(code));
                expect_told(WEXITSTATUS(code));
                break;
            }
            assert_true(tries < 1000);
        }
        twins_compare(&t, count_told(told), "a connection that was cut");
    }
    tell("a connection cut by the server", n, &t);
    twins_end(&t);
}

static void a_killed_backend_loses_and_doubles_nothing(void **state)
{
    twins t = {0};
    const int n = rounds(3);

    (void)state;
    twins_begin(&t);
    for (int i = 0; i < n; i++) {
        int told;
        pid_t pid = start_client(&told, t.address, t.n), backend = 0;
        const int life = postgres_kit_life(t.address);

        wait_a_while(told, (uint64_t)i % 4);
        while (!backend)
            backend = backend_of(t.address);
        kill(backend, SIGKILL);
        expect_told(end_client(pid));
        wait_until_it_serves_anew(t.address, life);
        twins_compare(&t, count_told(told), "kill -9 of a backend");
    }
    tell("kill -9 of a backend", n, &t);
    twins_end(&t);
}

static void a_killed_server_loses_and_doubles_nothing(void **state)
{
    twins t = {0};
    const int n = rounds(3);

    (void)state;
    twins_begin(&t);
    for (int i = 0; i < n; i++) {
        int told;
        pid_t pid = start_client(&told, t.address, t.n);
        const int life = postgres_kit_life(t.address);

        wait_a_while(told, (uint64_t)i % 4);
        server("kill");
        expect_told(end_client(pid));
        server("again");
        wait_until_it_serves_anew(t.address, life);
        twins_compare(&t, count_told(told), "kill -9 of the server");
    }
    tell("kill -9 of the server", n, &t);
    twins_end(&t);
}

/* ------------------------------------------------------------------ a connection cut by the net */

/* Passes bytes on, both ways, and after so many of the client's is gone. */
static pid_t start_relay(const char *folder, const char *target, uint64_t n_bytes)
{
    struct sockaddr_un in = {.sun_family = AF_UNIX}, to = {.sun_family = AF_UNIX};
    const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    pid_t pid;

    snprintf(in.sun_path, sizeof in.sun_path, "%s/.s.PGSQL.5432", folder);
    snprintf(to.sun_path, sizeof to.sun_path, "%s/.s.PGSQL.5432", target);
    unlink(in.sun_path);
    assert_int_equal(bind(listener, (struct sockaddr *)&in, sizeof in), 0);
    assert_int_equal(listen(listener, 4), 0);
    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        const int from = accept(listener, NULL, NULL), on = socket(AF_UNIX, SOCK_STREAM, 0);
        struct pollfd two[2] = {{from, POLLIN, 0}, {on, POLLIN, 0}};
        char bytes[4096];

        close(listener);
        if (connect(on, (struct sockaddr *)&to, sizeof to) != 0)
            _exit(1);
        for (uint64_t n = 0; n < n_bytes && poll(two, 2, -1) > 0;)
            for (int i = 0; i < 2; i++) {
                size_t room =
                    i == 0 && n_bytes - n < sizeof bytes ? (size_t)(n_bytes - n) : sizeof bytes;
                ssize_t got;

                if (!two[i].revents || room == 0)
                    continue;
                got = read(two[i].fd, bytes, room);
                if (got <= 0 || write(two[!i].fd, bytes, (size_t)got) != got)
                    _exit(0);
                n += i == 0 ? (uint64_t)got : 0;
            }
        _exit(0);
    }
    close(listener);
    return pid;
}

static void a_connection_cut_at_any_byte_loses_and_doubles_nothing(void **state)
{
    static char folder[] = "/tmp/doppel-relay.XXXXXX";
    const char *host;
    char through[512], target[256], command[96];
    twins t = {0};
    const int n = rounds(12);

    (void)state;
    assert_non_null(mkdtemp(folder));
    twins_begin(&t);
    host = strstr(t.address, "?host=");
    snprintf(target, sizeof target, "%s", host + 6);
    snprintf(through, sizeof through, "%.*s?host=%s", (int)(host - t.address), t.address, folder);
    for (int i = 0; i < n; i++) {
        int told;
        pid_t relay = start_relay(folder, target, dpli_rng_below(&rng, 60000)), pid;

        pid = start_client(&told, through, t.n);
        expect_told(end_client(pid));
        kill(relay, SIGKILL);
        waitpid(relay, NULL, 0);
        /* What the server still does of it is over when nobody is served any more. */
        while (backend_of(t.address))
            wait_ms(10);
        twins_compare(&t, count_told(told), "a connection cut at a byte");
    }
    tell("a connection cut at a byte", n, &t);
    twins_end(&t);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    assert_int_equal(system(command), 0);
}

/* ------------------------------------------------------------------ many at once */

enum { N_WRITERS = 4, N_READERS = 8 };

/* In a child: ends it where a call has failed. */
static void need(dpl_status status, const dpl_error *why)
{
    if (status == DPL_OK)
        return;
    fprintf(stderr, "%s: %s\n", dpl_status_name(status), why->message);
    _exit(1);
}

static void write_many(const char *address, int who, int n)
{
    dpl_gallery *gallery;
    dpl_error why;

    need(dpl_gallery_open(&gallery, address, DPL_GALLERY_WRITE, &why), &why);
    for (int i = 0; i < n; i++) {
        char path[32];

        /* One of its own, and one that all of them put, each with the same content. */
        snprintf(path, sizeof path, "/%d/%d.jpg", who, i);
        need(kit_put(gallery, (uint64_t)(who * 1000 + 2 * i), path, "own", 2, &why), &why);
        snprintf(path, sizeof path, "/all/%d.jpg", i);
        need(kit_put(gallery, (uint64_t)(90000 + i), path, "all", 3, &why), &why);
    }
    dpl_gallery_close(gallery);
    _exit(0);
}

static dpl_status count_row(void *ctx, const dpl_template_row *row)
{
    (void)row;
    ++*(int64_t *)ctx;
    return DPL_OK;
}

/* Everything that a reader may ask; *n: of how many templates there were. */
static dpl_status ask(int64_t *n, dpl_gallery *gallery, const dpl_head *head, dpl_error *why)
{
    kit_photo p;
    dpl_hit hits[10];
    dpl_status status;

    kit_photo_make(&p, 90000, "/all/0.jpg", "all", 3);
    *n = 0;
    status = dpl_gallery_each_template(gallery, NULL, NULL, count_row, n, why);
    if (status == DPL_OK && *n > 0)
        status = dpl_gallery_search(hits, gallery, head, "face", p.vectors[0], 1, KIT_DIM, NULL,
                                    NULL, why);
    return status;
}

/* What was there stays, as a photo that is put again keeps its number of templates. */
static void read_many(const char *address, const volatile sig_atomic_t *over)
{
    int64_t n = 0, before = 0, asked = 0;
    dpl_gallery *gallery;
    dpl_head *head;
    dpl_error why;

    need(dpl_gallery_open(&gallery, address, DPL_GALLERY_READ, &why), &why);
    need(dpl_head_new(&head, DPL_HEAD_COSINE, KIT_DIM, NULL, 0, &why), &why);
    while (!*over || asked < 2) {
        need(ask(&n, gallery, head, &why), &why);
        if (n < before) {
            fprintf(stderr, "%lld templates, and there were %lld\n", (long long)n,
                    (long long)before);
            _exit(2);
        }
        before = n;
        asked++;
    }
    dpl_head_free(head);
    dpl_gallery_close(gallery);
    _exit(0);
}

static volatile sig_atomic_t is_over;

static void be_over(int number)
{
    (void)number;
    is_over = 1;
}

static void expect_ends(const pid_t *pids, int n)
{
    for (int i = 0; i < n; i++)
        assert_int_equal(end_client(pids[i]), 0);
}

static void four_writers_and_eight_readers_lose_and_double_nothing(void **state)
{
    const int n = rounds(5);
    pid_t writers[N_WRITERS], readers[N_READERS];
    char *address = postgres_kit_new(NULL), *text;
    dpl_gallery_counts counts;
    dpl_gallery *gallery;

    (void)state;
    dpl_gallery_close(kit_open(address, DPL_GALLERY_MIGRATE));
    dpl_gallery_close(kit_new(address));
    signal(SIGTERM, be_over);
    fflush(NULL);
    for (int i = 0; i < N_WRITERS + N_READERS; i++) {
        const pid_t pid = fork();

        if (pid == 0 && i < N_WRITERS)
            write_many(address, i, n);
        else if (pid == 0)
            read_many(address, &is_over);
        *(i < N_WRITERS ? &writers[i] : &readers[i - N_WRITERS]) = pid;
    }
    signal(SIGTERM, SIG_DFL);
    expect_ends(writers, N_WRITERS);
    for (int i = 0; i < N_READERS; i++)
        kill(readers[i], SIGTERM);
    expect_ends(readers, N_READERS);

    gallery = kit_open(address, DPL_GALLERY_READ);
    kit_expect(DPL_OK, dpl_gallery_count(&counts, gallery, &err), &err);
    assert_int_equal(counts.n_photos, N_WRITERS * n + n);
    assert_int_equal(counts.n_persons, 2);
    text = kit_dump(gallery);
    for (int i = 0; i < n; i++) {
        char path[48];
        const char *at;

        snprintf(path, sizeof path, "\"path\":\"/all/%d.jpg\"", i);
        at = strstr(text, path);
        assert_non_null(at);
        assert_null(strstr(at + 1, path));
    }
    print_message("%d writers put %d photos each, half of them the same, while %d readers asked: "
                  "%d photos, each once\n",
                  N_WRITERS, 2 * n, N_READERS, (int)counts.n_photos);
    dpl_gallery_close(gallery);
    free(text);
    free(address);
}

static void a_server_restarted_under_queries_is_told_and_found_again(void **state)
{
    char *address = postgres_kit_new(NULL);
    const int n = rounds(2);
    dpl_gallery *gallery;
    int told[2];
    pid_t pid;

    (void)state;
    dpl_gallery_close(kit_open(address, DPL_GALLERY_MIGRATE));
    gallery = kit_new(address);
    kit_put_well(gallery, 90000, "/all/0.jpg", "all", 3);
    dpl_gallery_close(gallery);
    signal(SIGTERM, be_over);
    assert_int_equal(pipe2(told, O_CLOEXEC), 0);
    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        int64_t n_templates = 0, n_failed = 0;
        dpl_head *head;
        dpl_error why;
        dpl_status status;

        need(dpl_gallery_open(&gallery, address, DPL_GALLERY_READ, &why), &why);
        need(dpl_head_new(&head, DPL_HEAD_COSINE, KIT_DIM, NULL, 0, &why), &why);
        do {
            status = ask(&n_templates, gallery, head, &why);
            if (status == DPL_OK
                    ? n_templates != 3
                    : dpl_status_exit_code(status) != 5 || !strstr(why.message, "kit_")) {
                fprintf(stderr, "%s: %s\n", dpl_status_name(status), why.message);
                _exit(3);
            }
            n_failed += status != DPL_OK;
            if (write(told[1], status == DPL_OK ? "+" : "-", 1) != 1)
                _exit(4);
        } while (!is_over || status != DPL_OK);
        _exit(n_failed > 0 ? 0 : 5);
    }
    signal(SIGTERM, SIG_DFL);
    close(told[1]);
    for (int i = 0; i < n; i++) {
        char answer = '-';

        /* It asks, then is refused, then asks again by the same handle. */
        for (const char *wanted = "+-"; *wanted; wanted++) {
            do
                assert_int_equal(read(told[0], &answer, 1), 1);
            while (answer != *wanted);
            if (*wanted == '+')
                server(i % 2 ? "kill" : "halt");
        }
        server("again");
    }
    kill(pid, SIGTERM);
    count_told(told[0]);
    expect_ends(&pid, 1);
    print_message("%d restarts under queries: each was told as that, and each time the same client "
                  "went on\n",
                  n);
    free(address);
}

int main(void)
{
    const char *text = getenv("DOPPEL_SEED");
    const uint64_t seed = text ? strtoull(text, NULL, 10) : (uint64_t)time(NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_killed_at_any_instant_loses_and_doubles_nothing),
        cmocka_unit_test(a_connection_cut_by_the_server_loses_and_doubles_nothing),
        cmocka_unit_test(a_connection_cut_at_any_byte_loses_and_doubles_nothing),
        cmocka_unit_test(a_killed_backend_loses_and_doubles_nothing),
        cmocka_unit_test(a_killed_server_loses_and_doubles_nothing),
        cmocka_unit_test(four_writers_and_eight_readers_lose_and_double_nothing),
        cmocka_unit_test(a_server_restarted_under_queries_is_told_and_found_again),
    };

    postgres_kit_is_wanted();
    print_message("DOPPEL_SEED=%llu\n", (unsigned long long)seed);
    dpli_rng_seed(&rng, seed);
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
