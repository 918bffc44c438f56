/*
 * test_sandbox.c - inside the sandbox what was named can be reached, and nothing else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/sandbox.h"

/* 0 or the error of opening it, and closed again. */
static int opens(const char *path, int flags)
{
    const int fd = open(path, flags, 0600);

    if (fd < 0)
        return errno;
    close(fd);
    return 0;
}

#define EXPECT(what)                                                                               \
    do {                                                                                           \
        if (!(what))                                                                               \
            return __LINE__;                                                                       \
    } while (0)

static int files_inside(void)
{
    EXPECT(opens("photos/a.jpg", O_RDONLY) == 0);
    EXPECT(opens("photos/a.jpg", O_RDWR) == EACCES);
    EXPECT(opens("photos/new", O_WRONLY | O_CREAT) == EACCES);
    EXPECT(opens("photos/out", O_RDONLY) == EACCES); /* a link to other/secret */
    EXPECT(unlink("photos/a.jpg") != 0 && errno == EACCES);
    EXPECT(opens("model.onnx", O_RDONLY) == 0);
    EXPECT(opens("model.onnx", O_WRONLY | O_TRUNC) == EACCES);
    EXPECT(opens("other/secret", O_RDONLY) == EACCES);
    EXPECT(opens("/etc/passwd", O_RDONLY) == EACCES);
    EXPECT(opens("/tmp", O_RDONLY | O_DIRECTORY) == EACCES);
    EXPECT(opens("gallery/db", O_RDWR | O_CREAT) == 0);
    EXPECT(rename("gallery/db", "gallery/db2") == 0);
    EXPECT(truncate("gallery/db2", 0) == 0);
    EXPECT(mkdir("gallery/folder", 0700) == 0 && rmdir("gallery/folder") == 0);
    EXPECT(unlink("gallery/db2") == 0);
    EXPECT(opens("/dev/null", O_RDONLY) == 0);
    EXPECT(rmdir("other/hollow") == 0);
    EXPECT(unlink("other/secret") != 0 && errno == EACCES);
    EXPECT(mkdir("other/hollow", 0700) != 0 && errno == EACCES);
    EXPECT(rmdir("photos/hollow") != 0 && errno == EACCES);
    return 0;
}

static int calls_inside(void)
{
    static char *const none[] = {NULL};

    EXPECT(socket(AF_INET, SOCK_STREAM, 0) < 0 && errno == EPERM);
    EXPECT(socket(AF_UNIX, SOCK_STREAM, 0) < 0 && errno == EPERM);
    EXPECT(execve("/bin/true", none, none) < 0 && errno == EPERM);
    return 0;
}

static int held;

static void *inside(void *line)
{
    int *at = line;

    *at = held & 1 ? files_inside() : 0;
    if (*at == 0 && held & 2)
        *at = calls_inside();
    return NULL;
}

static int enter_to(bool off, bool connects)
{
    const char *const read[] = {"photos", "model.onnx", NULL, "not/there"};
    const char *const write[] = {"gallery"};
    const sandbox_paths paths = {.read = read,
                                 .n_read = 4,
                                 .write = write,
                                 .n_write = 1,
                                 .tidies = "other",
                                 .connects = connects};

    (void)mkdir("other/hollow", 0700);
    if (off)
        setenv("DOPPEL_SANDBOX", "off", 1);
    else
        unsetenv("DOPPEL_SANDBOX");
    return sandbox_enter(&paths);
}

static int enter(bool off)
{
    return enter_to(off, false);
}

/* 0, the line of what failed, or 255 when the kernel restricts nothing. */
static int in_a_process(int (*what)(void))
{
    int status;
    const pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0)
        _exit(what());
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void make(const char *path)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    fclose(f);
}

static int set_up(void **state)
{
    char folder[] = "sandbox-XXXXXX";

    (void)state;
    if (!mkdtemp(folder) || chdir(folder) != 0 || mkdir("photos", 0700) != 0 ||
        mkdir("gallery", 0700) != 0 || mkdir("other", 0700) != 0 ||
        mkdir("photos/hollow", 0700) != 0 || symlink("../other/secret", "photos/out") != 0)
        return -1;
    make("photos/a.jpg");
    make("model.onnx");
    make("other/secret");
    return 0;
}

static int run_in_main_thread(void)
{
    int line = 0;

    held = enter(false);
    if (!held)
        return 255;
    inside(&line);
    return line;
}

static int run_in_new_thread(void)
{
    pthread_t thread;
    int line = 0;

    held = enter(false);
    if (!held)
        return 255;
    if (pthread_create(&thread, NULL, inside, &line) != 0)
        return __LINE__;
    pthread_join(thread, NULL);
    return line;
}

/* To a database: a socket, and still no program and no file that is not named. */
static int run_connecting(void)
{
    static char *const none[] = {NULL};
    int s;

    held = enter_to(false, true);
    if (!held)
        return 255;
    s = socket(AF_UNIX, SOCK_STREAM, 0);
    EXPECT(s >= 0);
    close(s);
    if (held & 1) {
        EXPECT(opens("other/secret", O_RDONLY) == EACCES);
        EXPECT(opens("/etc/passwd", O_RDONLY) == EACCES);
        EXPECT(opens("/etc/hosts", O_RDONLY) != EACCES);
    }
    if (held & 2) {
        EXPECT(execve("/bin/true", none, none) < 0 && errno == EPERM);
        EXPECT(socketpair(AF_UNIX, SOCK_STREAM, 0, (int[2]){0}) < 0 && errno == EPERM);
    }
    return 0;
}

static int run_switched_off(void)
{
    EXPECT(enter(true) == 0);
    EXPECT(opens("other/secret", O_RDONLY) == 0);
    return 0;
}

static void what_was_not_named_is_out_of_reach(void **state)
{
    const int line = in_a_process(run_in_main_thread);

    (void)state;
    if (line == 255)
        skip();
    assert_int_equal(line, 0);
}

static void threads_started_later_are_inside_too(void **state)
{
    const int line = in_a_process(run_in_new_thread);

    (void)state;
    if (line == 255)
        skip();
    assert_int_equal(line, 0);
}

static void whoever_connects_to_a_database_may_do_that_and_no_more(void **state)
{
    const int line = in_a_process(run_connecting);

    (void)state;
    if (line == 255)
        skip();
    assert_int_equal(line, 0);
}

static void it_can_be_switched_off(void **state)
{
    (void)state;
    assert_int_equal(in_a_process(run_switched_off), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_not_named_is_out_of_reach),
        cmocka_unit_test(threads_started_later_are_inside_too),
        cmocka_unit_test(whoever_connects_to_a_database_may_do_that_and_no_more),
        cmocka_unit_test(it_can_be_switched_off),
    };

    return cmocka_run_group_tests(tests, set_up, NULL);
}
