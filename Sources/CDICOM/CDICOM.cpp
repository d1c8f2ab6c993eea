#include "CDICOM.h"

#include <cstdio>
#include <cstring>
#include <exception>
#include <mutex>
#include <vector>

#include <dcmtk/config/osconfig.h>

#include <dcmtk/dcmdata/dctk.h>
#include <dcmtk/dcmdata/dcistrmb.h>
#include <dcmtk/dcmdata/dcostrmb.h>
#include <dcmtk/dcmdata/dcrledrg.h>
#include <dcmtk/dcmjpeg/djdecode.h>
#include <dcmtk/dcmjpls/djdecode.h>
#include <dcmtk/oflog/oflog.h>

struct DICOMFile {
    DcmFileFormat format;
    OFString value;
    OFString syntax;
};

namespace {

// Errors are returned, never printed: a bad file among 750,000 is reported once, by the catalog. DCMTK decodes what it has been told of.
void set_up() {
    static std::once_flag once;
    std::call_once(once, [] {
        OFLog::configure(OFLogger::OFF_LOG_LEVEL);
        DJDecoderRegistration::registerCodecs();
        DJLSDecoderRegistration::registerCodecs();
        DcmRLEDecoderRegistration::registerCodecs();
    });
}

void explain(const char *text, char *reason, size_t capacity) {
    if (capacity > 0) std::snprintf(reason, capacity, "%s", text);
}

// The transfer syntax that the data set was read in, which is the one the meta header names.
DcmXfer syntax_of(DICOMFile *file) { return DcmXfer(file->format.getDataset()->getOriginalXfer()); }

DcmElement *pixel_element(DICOMFile *file) {
    DcmElement *element = NULL;
    const OFCondition found = file->format.getDataset()->findAndGetElement(DCM_PixelData, element);
    return found.good() ? element : NULL;
}

// The file if it was read, else NULL with the reason.
DICOMFile *opened(DICOMFile *file, const OFCondition &read, bool *truncated, char *reason, size_t reason_capacity) {
    if (read.good()) return file;
    // A value that is longer than what is left of the file suspends DCMTK's reader, which hopes for more to come.
    *truncated = read == EC_StreamNotifyClient || read == EC_EndOfStream || read == EC_InvalidStream;
    explain(read.text(), reason, reason_capacity);
    delete file;
    return NULL;
}

}  // namespace

DICOMFile *dicom_open(const char *path, bool *truncated, char *reason, size_t reason_capacity) try {
    set_up();
    DICOMFile *file = new DICOMFile;
    // Values over 4096 bytes, the pixels, are left on disk until somebody asks for them.
    const OFCondition read = file->format.loadFile(path, EXS_Unknown, EGL_noChange, 4096, ERM_fileOnly);
    return opened(file, read, truncated, reason, reason_capacity);
} catch (const std::exception &error) {
    // A file that claims a value of gigabytes.
    explain(error.what(), reason, reason_capacity);
    return NULL;
}

DICOMFile *dicom_open_bytes(const uint8_t *bytes, size_t count, bool *truncated, char *reason,
                            size_t reason_capacity) try {
    set_up();
    DICOMFile *file = new DICOMFile;
    DcmInputBufferStream stream;
    stream.setBuffer(bytes, (offile_off_t)count);
    stream.setEos();
    file->format.setReadMode(ERM_fileOnly);
    file->format.transferInit();
    // A buffer cannot be come back to: every value, the pixels too, is read now.
    const OFCondition read = file->format.read(stream, EXS_Unknown, EGL_noChange, 4096);
    file->format.transferEnd();
    return opened(file, read, truncated, reason, reason_capacity);
} catch (const std::exception &error) {
    explain(error.what(), reason, reason_capacity);
    return NULL;
}

void dicom_close(DICOMFile *file) { delete file; }

const char *dicom_value(DICOMFile *file, uint16_t group, uint16_t element) {
    const DcmTagKey key(group, element);
    const OFCondition found = file->format.getDataset()->findAndGetOFStringArray(key, file->value);
    return found.good() ? file->value.c_str() : NULL;
}

const char *dicom_transfer_syntax(DICOMFile *file) {
    file->syntax = syntax_of(file).getXferID();
    return file->syntax.c_str();
}

const char *dicom_transfer_syntax_name(DICOMFile *file) { return syntax_of(file).getXferName(); }

bool dicom_is_compressed(DICOMFile *file) { return syntax_of(file).isEncapsulated(); }

bool dicom_can_decode(DICOMFile *file) {
    switch (syntax_of(file).getXfer()) {
    case EXS_JPEGProcess14:
    case EXS_JPEGProcess14SV1:
    case EXS_JPEGLSLossless:
    case EXS_JPEGLSLossy:
    case EXS_RLELossless:
        return true;
    default:
        return false;
    }
}

bool dicom_has_pixels(DICOMFile *file) { return pixel_element(file) != NULL; }

size_t dicom_pixel_bytes(DICOMFile *file) {
    DcmElement *element = pixel_element(file);
    return element ? element->getLengthField() : 0;
}

// The pixels' bytes as 16-bit words, in whichever way the element has them; their number, or 0 with the reason.
static size_t pixel_words(DcmElement *element, const uint16_t **words, std::vector<uint16_t> &joined, char *reason,
                          size_t reason_capacity) {
    const size_t count = element->getLengthField() / 2;
    Uint16 *wide = NULL;
    const OFCondition read = element->getUint16Array(wide);
    if (read.good() && wide) {
        *words = wide;
        return count;
    }
    // Sixteen-bit pixels stored with VR OB: bytes, little-endian by the standard (PS3.5, A.2 and annex D).
    Uint8 *narrow = NULL;
    const OFCondition raw = element->getUint8Array(narrow);
    if (raw.bad() || !narrow) {
        explain(read.bad() ? read.text() : raw.text(), reason, reason_capacity);
        return 0;
    }
    joined.resize(count);
    for (size_t i = 0; i < count; ++i) joined[i] = (uint16_t)(narrow[2 * i] | narrow[2 * i + 1] << 8);
    *words = joined.data();
    return count;
}

size_t dicom_pixels(DICOMFile *file, bool is_signed, int bits, int32_t *values, size_t capacity, char *reason,
                    size_t reason_capacity) try {
    DcmDataset *dataset = file->format.getDataset();
    if (dicom_is_compressed(file)) {
        const OFCondition decoded = dataset->chooseRepresentation(EXS_LittleEndianExplicit, NULL);
        if (decoded.bad()) {
            explain(decoded.text(), reason, reason_capacity);
            return 0;
        }
    }
    DcmElement *element = pixel_element(file);
    if (!element) {
        explain("no PixelData", reason, reason_capacity);
        return 0;
    }
    const uint16_t *words = NULL;
    std::vector<uint16_t> joined;
    const size_t count = pixel_words(element, &words, joined, reason, reason_capacity);
    const size_t taken = count < capacity ? count : capacity;
    // To the top and back, so that what is above the value goes, or becomes its sign.
    const int unused = 16 - bits;
    if (is_signed)
        for (size_t i = 0; i < taken; ++i) values[i] = (int16_t)(uint16_t)(words[i] << unused) >> unused;
    else
        for (size_t i = 0; i < taken; ++i) values[i] = (uint16_t)(words[i] << unused) >> unused;
    return count;
} catch (const std::exception &error) {
    explain(error.what(), reason, reason_capacity);
    return 0;
}

size_t dicom_encode(const DICOMAttribute *attributes, size_t attribute_count, const uint16_t *words, size_t word_count,
                    const char *transfer_syntax, uint8_t *bytes, size_t capacity, char *reason, size_t reason_capacity) {
    set_up();
    DcmFileFormat format;
    DcmDataset *dataset = format.getDataset();
    OFCondition done = EC_Normal;
    for (size_t i = 0; i < attribute_count && done.good(); ++i) {
        const DcmTag tag(attributes[i].group, attributes[i].element);
        done = dataset->putAndInsertString(tag, attributes[i].value);
    }
    const E_TransferSyntax syntax = DcmXfer(transfer_syntax).getXfer();
    if (done.good() && syntax == EXS_Unknown) done = EC_UnknownTransferSyntax;
    if (done.good() && word_count > 0) done = dataset->putAndInsertUint16Array(DCM_PixelData, words, word_count);
    if (done.good()) done = format.validateMetaInfo(syntax);

    DcmOutputBufferStream stream(bytes, (offile_off_t)capacity);
    if (done.good()) {
        format.transferInit();
        done = format.write(stream, syntax, EET_ExplicitLength, NULL);
        format.transferEnd();
        stream.flush();
    }
    if (done.bad()) {
        explain(done.text(), reason, reason_capacity);
        return 0;
    }
    void *written = NULL;
    offile_off_t length = 0;
    stream.flushBuffer(written, length);
    return (size_t)length;
}
