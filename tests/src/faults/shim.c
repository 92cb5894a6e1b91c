/* Stands between a program and the system's calls that write and tell the time (LD_PRELOAD), and does
 * what the words of a shared file say: see shim.rs, which lays them out in the same order. Only files
 * under one folder are touched. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct words {
    _Atomic int64_t shift;    /* seconds that CLOCK_REALTIME is ahead */
    _Atomic int64_t failing;  /* 1: writes and syncs fail with EIO, 2: syncs alone */
    _Atomic int64_t tear;     /* at this write half of it is done, and the process dies; 0: never */
    _Atomic int64_t failed;   /* calls that failed so far */
};

static struct words *words;
static char folder[PATH_MAX];
static size_t folder_length;

__attribute__((constructor)) static void begin(void) {
    const char *control = getenv("FAULTS_CONTROL"), *under = getenv("FAULTS_FOLDER");
    if (!control) return;
    int fd = open(control, O_RDWR);
    if (fd < 0) return;
    void *page = mmap(NULL, sizeof *words, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (page == MAP_FAILED) return;
    if (under && strlen(under) < sizeof folder) {
        strcpy(folder, under);
        folder_length = strlen(folder);
    }
    words = page;
}

static int is_ours(int fd) {
    char link[64], path[PATH_MAX];
    if (!folder_length) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path);
    return length >= (ssize_t)folder_length && !memcmp(path, folder, folder_length);
}

static int fails(int fd, int64_t least) {
    int64_t failing = words ? words->failing : 0;
    if (!failing || failing > least || !is_ours(fd)) return 0;
    words->failed++;
    errno = EIO;
    return 1;
}

/* Whether this is the write that is torn. */
static int tears(int fd) {
    return words && words->tear > 0 && is_ours(fd) && atomic_fetch_sub(&words->tear, 1) == 1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int fd, const void *bytes, size_t count) {
    if (fails(fd, 1)) return -1;
    if (tears(fd)) {
        ssize_t written = REAL(write)(fd, bytes, count / 2);
        (void)written;
        kill(getpid(), SIGKILL);
    }
    return REAL(write)(fd, bytes, count);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    if (fails(fd, 1)) return -1;
    if (tears(fd)) {
        ssize_t written = REAL(write)(fd, parts[0].iov_base, parts[0].iov_len / 2);
        (void)written;
        kill(getpid(), SIGKILL);
    }
    return REAL(writev)(fd, parts, count);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) {
    if (fails(fd, 1)) return -1;
    return REAL(pwrite64)(fd, bytes, count, at);
}

int ftruncate64(int fd, off64_t length) {
    if (fails(fd, 1)) return -1;
    return REAL(ftruncate64)(fd, length);
}

int fsync(int fd) { return fails(fd, 2) ? -1 : REAL(fsync)(fd); }

int fdatasync(int fd) { return fails(fd, 2) ? -1 : REAL(fdatasync)(fd); }

int clock_gettime(clockid_t clock, struct timespec *time) {
    int result = REAL(clock_gettime)(clock, time);
    if (!result && words && clock == CLOCK_REALTIME) time->tv_sec += words->shift;
    return result;
}
