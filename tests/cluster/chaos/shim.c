/* Preloaded into the agents' processes alone, before libfaketime.
 *
 * While the file named by CHAOS_INOTIFY_USED_UP is there, inotify is used up for them, as fs.inotify's limits have it
 * (inotify_init(2), inotify_add_watch(2)).
 *
 * A sleep is the kernel's (clock_nanosleep(2)): Python sleeps until a time of the monotonic clock, and where libfaketime
 * 0.9.10 is told to leave that clock alone, it fails each such sleep with EINVAL. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int used_up(void)
{
    const char *file = getenv("CHAOS_INOTIFY_USED_UP");
    return file != NULL && access(file, F_OK) == 0;
}

int inotify_init1(int flags)
{
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "inotify_init1");
    if (used_up()) {
        errno = EMFILE;
        return -1;
    }
    return real(flags);
}

int inotify_add_watch(int fd, const char *path, uint32_t mask)
{
    int (*real)(int, const char *, uint32_t) =
        (int (*)(int, const char *, uint32_t))dlsym(RTLD_NEXT, "inotify_add_watch");
    if (used_up()) {
        errno = ENOSPC;
        return -1;
    }
    return real(fd, path, mask);
}

int clock_nanosleep(clockid_t clock, int flags, const struct timespec *request, struct timespec *remaining)
{
    return syscall(SYS_clock_nanosleep, clock, flags, request, remaining) == 0 ? 0 : errno;
}
