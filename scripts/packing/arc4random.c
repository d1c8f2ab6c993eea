// Random bytes for libarchive, which asks for them with arc4random_buf. The C library has that since 2.36 only; with this the packed
// program does with 2.35.
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

void arc4random_buf(void *buffer, size_t count) {
    unsigned char *place = buffer;
    while (count > 0) {
        const ssize_t got = getrandom(place, count, 0);
        if (got < 0 && errno == EINTR) continue;
        // There is no other source that could stand in, and the function cannot fail.
        if (got < 0) abort();
        place += got;
        count -= (size_t)got;
    }
}
