// libdeflate unpacks a member that is in memory as a whole, two to three times as fast as zlib; zlib unpacks piece by piece.
// https://github.com/ebiggers/libdeflate, https://zlib.net/manual.html
#include <libdeflate.h>
#include <zlib.h>

// A macro in zlib.h, which Swift does not see. Negative window bits: deflated data without a zlib header, as zip has it.
static inline int inflate_begin_raw(z_stream *stream) { return inflateInit2(stream, -MAX_WBITS); }

// The same for gzip's members (RFC 1952), whose checksum and length zlib compares.
static inline int inflate_begin_gzip(z_stream *stream) { return inflateInit2(stream, 16 + MAX_WBITS); }
