/* Preloaded into the agents' processes alone: while the file named by CHAOS_INOTIFY_USED_UP is there, inotify is used
 * up for them, as fs.inotify's limits have it (inotify_init(2), inotify_add_watch(2)). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
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
