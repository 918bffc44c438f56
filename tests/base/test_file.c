/*
 * test_file.c - whole files are read within a limit, whatever the path is, and replaced whole or
 * not at all.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fail.h"
#include "base/file.h"

static void put(const char *path, const void *bytes, size_t n)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    fclose(file);
}

static void must_read(const char *path, const void *want, size_t n_want)
{
    uint8_t *bytes;
    size_t n;

    assert_int_equal(dpli_file_read(&bytes, &n, path, 1 << 20, NULL), DPL_OK);
    assert_int_equal(n, n_want);
    assert_memory_equal(bytes, want, n);
    assert_int_equal(bytes[n], 0);
    free(bytes);
}

static void must_refuse(const char *path, size_t max_bytes, dpl_status want, const char *words)
{
    dpl_error err = {DPL_OK, ""};
    uint8_t *bytes = (uint8_t *)1;
    size_t n = 1;

    assert_int_equal(dpli_file_read(&bytes, &n, path, max_bytes, &err), want);
    assert_non_null(strstr(err.message, words));
    assert_null(bytes);
    assert_int_equal(n, 0);
}

static int n_open_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int n = 0;

    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

static int n_entries(const char *folder)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    int n = 0;

    for (entry = readdir(dir); entry; entry = readdir(dir))
        n += entry->d_name[0] != '.';
    closedir(dir);
    return n;
}

static void file_is_read_whole(void **state)
{
    static char bytes[100000];

    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 31);
    for (size_t n = 0; n < 10; n++) {
        put("file", bytes, n);
        must_read("file", bytes, n);
    }
    put("file", bytes, sizeof bytes);
    must_read("file", bytes, sizeof bytes);
}

static void file_whose_size_is_not_told_is_read_too(void **state)
{
    uint8_t *bytes;
    size_t n;

    (void)state;
    assert_int_equal(dpli_file_read(&bytes, &n, "/proc/self/status", 1 << 20, NULL), DPL_OK);
    assert_int_equal(strlen((char *)bytes), n);
    assert_non_null(strstr((char *)bytes, "Pid:"));
    free(bytes);
    must_refuse("/proc/self/status", 10, DPL_E_LIMIT, "more than the limit of 10 bytes");
}

static void what_is_no_file_is_refused_with_its_kind(void **state)
{
    const int before = n_open_descriptors();

    (void)state;
    must_refuse("absent", 100, DPL_E_INPUT, "No such file");
    must_refuse("/", 100, DPL_E_INPUT, "is a directory");
    must_refuse("/dev/zero", 100, DPL_E_INPUT, "is a device");
    put("five", "12345", 5);
    must_refuse("five", 4, DPL_E_LIMIT, "file has 5 bytes, limit is 4");
    assert_int_equal(n_open_descriptors(), before);
}

static sem_t writer_is_there;

/* The waits are for the reader to find nothing yet; whether it does changes nothing. */
static void *write_late(void *path)
{
    int fd = open(path, O_WRONLY);

    sem_post(&writer_is_there);
    usleep(50000);
    if (write(fd, "abc", 3) != 3)
        return path;
    usleep(50000);
    if (write(fd, "def", 3) != 3)
        return path;
    close(fd);
    return NULL;
}

static void pipe_is_read_to_its_end_and_without_a_writer_is_empty(void **state)
{
    pthread_t thread;
    void *failed;
    int keep;

    (void)state;
    unlink("fifo");
    assert_int_equal(mkfifo("fifo", 0600), 0);
    must_read("fifo", "", 0);
    /* A reader must be there before the writer can open it. */
    keep = open("fifo", O_RDONLY | O_NONBLOCK);
    assert_int_equal(sem_init(&writer_is_there, 0, 0), 0);
    assert_int_equal(pthread_create(&thread, NULL, write_late, "fifo"), 0);
    while (sem_wait(&writer_is_there) != 0)
        ;
    must_read("fifo", "abcdef", 6);
    pthread_join(thread, &failed);
    assert_null(failed);
    sem_destroy(&writer_is_there);
    close(keep);
}

static void replaced_file_has_the_new_content_and_the_old_mode(void **state)
{
    struct stat st;

    (void)state;
    mkdir("out", 0700);
    unlink("out/file");
    assert_int_equal(dpli_file_replace("out/file", "first", 5, NULL), DPL_OK);
    must_read("out/file", "first", 5);
    assert_int_equal(stat("out/file", &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(chmod("out/file", 0644), 0);
    assert_int_equal(dpli_file_replace("out/file", "", 0, NULL), DPL_OK);
    must_read("out/file", "", 0);
    assert_int_equal(stat("out/file", &st), 0);
    assert_int_equal(st.st_mode & 0777, 0644);
    assert_int_equal(n_entries("out"), 1);
}

static void link_stays_a_link(void **state)
{
    struct stat st;

    (void)state;
    put("real", "old", 3);
    unlink("link");
    assert_int_equal(symlink("real", "link"), 0);
    assert_int_equal(dpli_file_replace("link", "new", 3, NULL), DPL_OK);
    must_read("real", "new", 3);
    assert_int_equal(lstat("link", &st), 0);
    assert_true(S_ISLNK(st.st_mode));
}

static void what_is_no_file_is_not_replaced(void **state)
{
    dpl_error err;

    (void)state;
    assert_int_equal(dpli_file_replace("/dev/null", "x", 1, &err), DPL_E_SYSTEM);
    assert_string_equal(err.message, "cannot write \"/dev/null\": not a regular file");
    assert_int_equal(dpli_file_replace("no/such/folder", "x", 1, &err), DPL_E_SYSTEM);
    assert_non_null(strstr(err.message, "\"no/such/folder\": No such file"));
}

static dpl_status write_half(void *ctx, const char *aside, dpl_error *err)
{
    strcpy(ctx, aside);
    put(aside, "half", 4);
    return dpli_fail(err, DPL_E_CANCELLED, "enough");
}

static void failed_writer_leaves_the_old_file_alone(void **state)
{
    const int before = n_open_descriptors();
    char aside[256] = "";
    dpl_error err;

    (void)state;
    mkdir("half", 0700);
    put("half/file", "old", 3);
    assert_int_equal(dpli_file_replace_by("half/file", write_half, aside, &err), DPL_E_CANCELLED);
    assert_string_equal(err.message, "enough");
    must_read("half/file", "old", 3);
    assert_int_equal(n_entries("half"), 1);
    assert_int_equal(strncmp(aside, "/", 1) == 0 || strncmp(aside, "half/", 5) == 0, 1);
    assert_int_equal(n_open_descriptors(), before);
}

static void full_disk_is_told_and_leaves_the_old_file(void **state)
{
    const struct rlimit small = {1000, RLIM_INFINITY}, none = {RLIM_INFINITY, RLIM_INFINITY};
    static char bytes[5000];
    dpl_error err;

    (void)state;
    mkdir("full", 0700);
    put("full/file", "old", 3);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    assert_int_equal(dpli_file_replace("full/file", bytes, sizeof bytes, &err), DPL_E_SYSTEM);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    assert_non_null(strstr(err.message, "File too large"));
    must_read("full/file", "old", 3);
    assert_int_equal(n_entries("full"), 1);
}

/* Writes half of it and dies, as by kill -9. */
static dpl_status die_half_way(void *ctx, const char *aside, dpl_error *err)
{
    (void)ctx;
    (void)err;
    put(aside, "face data", 9);
    raise(SIGKILL);
    return DPL_OK;
}

static void killed_writer_leaves_nothing_that_stays(void **state)
{
    int how;
    pid_t child;

    (void)state;
    mkdir("killed", 0700);
    put("killed/file", "old", 3);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dpli_file_replace_by("killed/file", die_half_way, NULL, NULL);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFSIGNALED(how));
    must_read("killed/file", "old", 3);
    /* Where files cannot be without a name, a killed process leaves this. */
    put("killed/file.doppel-abc123", "face data", 9);
    put("killed/file.doppel-too-long", "somebody's", 10);
    put("killed/other.doppel-abc123", "somebody's", 10);
    assert_int_equal(dpli_file_replace("killed/file", "new", 3, NULL), DPL_OK);
    must_read("killed/file", "new", 3);
    assert_int_equal(access("killed/file.doppel-abc123", F_OK), -1);
    assert_int_equal(n_entries("killed"), 3);
}

static dpl_status write_beside_another(void *ctx, const char *aside, dpl_error *err)
{
    put(aside, "first", 5);
    return ctx ? dpli_file_replace_by("two/file", write_beside_another, NULL, err) : DPL_OK;
}

static void a_file_aside_in_use_is_no_leftover(void **state)
{
    const int fd = (mkdir("two", 0700), open("two/file.doppel-abcdef", O_RDWR | O_CREAT, 0600));

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_int_equal(dpli_file_replace_by("two/file", write_beside_another, "", NULL), DPL_OK);
    assert_int_equal(access("two/file.doppel-abcdef", F_OK), 0);
    assert_int_equal(n_entries("two"), 2);
    close(fd);
}

static dpl_status look_at_mode(void *ctx, const char *aside, dpl_error *err)
{
    struct stat st;

    (void)err;
    assert_int_equal(stat(aside, &st), 0);
    *(mode_t *)ctx = st.st_mode & 0777;
    return DPL_OK;
}

static void a_file_aside_is_its_owners_alone(void **state)
{
    mode_t mode = 0;
    struct stat st;

    (void)state;
    put("wide", "old", 3);
    assert_int_equal(chmod("wide", 0644), 0);
    assert_int_equal(dpli_file_replace_by("wide", look_at_mode, &mode, NULL), DPL_OK);
    assert_int_equal(mode, 0600);
    assert_int_equal(stat("wide", &st), 0);
    assert_int_equal(st.st_mode & 0777, 0644);
}

static void clock_goes_forward(void **state)
{
    struct timespec from, to;
    double start, took;

    (void)state;
    /* Between two looks at the system's own clock it cannot have gone further than that. */
    clock_gettime(CLOCK_MONOTONIC, &from);
    start = dpli_now();
    usleep(20000);
    took = dpli_now() - start;
    clock_gettime(CLOCK_MONOTONIC, &to);
    assert_true(took >= 0.02);
    assert_true(took <= (double)(to.tv_sec - from.tv_sec) +
                            (double)(to.tv_nsec - from.tv_nsec) * 1e-9 + 1e-6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(file_is_read_whole),
        cmocka_unit_test(file_whose_size_is_not_told_is_read_too),
        cmocka_unit_test(what_is_no_file_is_refused_with_its_kind),
        cmocka_unit_test(pipe_is_read_to_its_end_and_without_a_writer_is_empty),
        cmocka_unit_test(replaced_file_has_the_new_content_and_the_old_mode),
        cmocka_unit_test(link_stays_a_link),
        cmocka_unit_test(what_is_no_file_is_not_replaced),
        cmocka_unit_test(failed_writer_leaves_the_old_file_alone),
        cmocka_unit_test(full_disk_is_told_and_leaves_the_old_file),
        cmocka_unit_test(killed_writer_leaves_nothing_that_stays),
        cmocka_unit_test(a_file_aside_in_use_is_no_leftover),
        cmocka_unit_test(a_file_aside_is_its_owners_alone),
        cmocka_unit_test(clock_goes_forward),
    };

    return system("rm -rf out half full killed two wide") != 0
               ? 1
               : cmocka_run_group_tests(tests, NULL, NULL);
}
