// Reading and writing DICOM slices through DCMTK, as a C interface for Swift.
//
// Thin on purpose: what a slice must look like is decided in Swift (`Inputs/DICOMSlice.swift`); this side only moves bytes.
#ifndef CDICOM_H
#define CDICOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "SliceStatistics.h"

#ifdef __cplusplus
extern "C" {
#endif

// Has the allocator keep what is freed, up to some megabytes a thread, for what comes next. It would give a slice's pixels back to the
// system, whose pages then cost a tenth of the time that a slice takes.
void dicom_keep_memory(void);

// A parsed DICOM file. Not shared between threads; different files may be used on different threads.
typedef struct DICOMFile DICOMFile;

// One attribute to write: tag and value as text, several values joined with a backslash.
typedef struct {
    uint16_t group;
    uint16_t element;
    const char *value;
} DICOMAttribute;

// Where the data set of a file in memory starts, and how it is to be read.
typedef struct {
    size_t start;
    // The UID of a transfer syntax that DCMTK knows: what the data set is encoded as, whatever the file says.
    const char *transfer_syntax;
    // Whether pixels have the other byte order than the rest.
    bool swaps_pixels;
    // Whether nothing is read from PixelData (7FE0,0010) on: its encoding is one that DCMTK does not know.
    bool ends_at_pixels;
} DICOMEncoding;

// What there was besides a data set as the standard has it.
typedef struct {
    // The file ends too early.
    bool truncated;
    // The pixels are whole, and what follows them cannot be parsed.
    bool stray_bytes;
} DICOMOddity;

// Parses the data set of a file in memory; the bytes are needed until `dicom_close`.
//
// Returns NULL if it cannot be parsed; `reason` then says why in DCMTK's words.
DICOMFile *dicom_open(const uint8_t *bytes, size_t count, DICOMEncoding encoding, DICOMOddity *oddity, char *reason,
                      size_t reason_capacity);

void dicom_close(DICOMFile *file);

// The whole value of an attribute of the data set, all values joined with a backslash; NULL if it is absent. Of an enhanced image it is
// the first frame's, from its functional groups, if the data set itself has none. Valid until the next call for the same file.
const char *dicom_value(DICOMFile *file, uint16_t group, uint16_t element);

// Whether an attribute is there twice, in the data set or in an item; its value is then the first.
bool dicom_is_doubled(DICOMFile *file, uint16_t group, uint16_t element);

// Whether the pixels are encapsulated, that is, compressed (JPEG, RLE and their like).
bool dicom_is_compressed(DICOMFile *file);

// What compressed pixels say of themselves; -1 where they do not.
typedef struct {
    // Of lossless JPEG and JPEG-LS.
    int rows;
    int columns;
    // The largest error of a JPEG-LS image, the parameter NEAR of its first scan; 0 for a lossless one. Another thing in JPEG.
    int near;
    // To how many bytes the segments of RLE decode, of which each has one byte of every pixel.
    int64_t fewest_run_bytes;
    int64_t most_run_bytes;
} DICOMStream;
DICOMStream dicom_stream(DICOMFile *file);

// Whether the data set has PixelData (7FE0,0010), and the number of bytes that its header announces.
bool dicom_has_pixels(DICOMFile *file);
size_t dicom_pixel_bytes(DICOMFile *file);

// Decompresses the pixels if need be. Gives the place of their 16-bit words, in this machine's byte order but at any address: in the
// file's bytes, if they lie there as they are, else in memory of the file's. Returns how many there are; 0 with a `reason` if they
// cannot be read.
size_t dicom_words(DICOMFile *file, const void **words, char *reason, size_t reason_capacity);

// Encodes a file with preamble, meta header, the given attributes and 16-bit pixels, in the given transfer syntax, in memory.
//
// Values are written as given: a UID that is none stays as it is. Returns the number of bytes, 0 with a `reason` on failure
// (`capacity` too small, an unknown transfer syntax, a value that does not fit its VR).
size_t dicom_encode(const DICOMAttribute *attributes, size_t attribute_count, const uint16_t *words, size_t word_count,
                    const char *transfer_syntax, uint8_t *bytes, size_t capacity, char *reason, size_t reason_capacity);

#ifdef __cplusplus
}
#endif

#endif
