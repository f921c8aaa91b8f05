/* Preloaded before libc: makes fsync and fdatasync slow, has them fail, or stops the process at
 * one of them.
 *
 *   CREDB_TEST_SYNC_MS        milliseconds that each sync takes longer
 *   CREDB_TEST_STOP_AT_SYNC   the number (from 1) of the sync before which to raise SIGSTOP
 *   CREDB_TEST_FAIL_DIRECTORIES   not 0: the sync of a directory is an input/output error
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long number(const char *name)
{
    const char *text = getenv(name);
    return text ? strtol(text, NULL, 10) : 0;
}

static void before_sync(void)
{
    static atomic_long count;
    long milliseconds = number("CREDB_TEST_SYNC_MS");
    struct timespec pause = {milliseconds / 1000, milliseconds % 1000 * 1000000};

    if (atomic_fetch_add(&count, 1) + 1 == number("CREDB_TEST_STOP_AT_SYNC"))
        raise(SIGSTOP);
    nanosleep(&pause, NULL);
}

int fsync(int fd)
{
    struct stat file;

    before_sync();
    if (number("CREDB_TEST_FAIL_DIRECTORIES") && fstat(fd, &file) == 0 && S_ISDIR(file.st_mode)) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    before_sync();
    return (int)syscall(SYS_fdatasync, fd);
}
