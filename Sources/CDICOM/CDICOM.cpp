#include "CDICOM.h"

#include <cstdio>
#include <cstring>
#include <exception>
#include <filesystem>
#include <memory>
#include <mutex>
#include <vector>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <dcmtk/config/osconfig.h>

#include <dcmtk/dcmdata/dctk.h>
#include <dcmtk/dcmdata/dcfcache.h>
#include <dcmtk/dcmdata/dcistrma.h>
#include <dcmtk/dcmdata/dcostrmb.h>
#include <dcmtk/dcmdata/dcrledrg.h>
#include <dcmtk/dcmjpeg/djdecode.h>
#include <dcmtk/dcmjpls/djdecode.h>
#include <dcmtk/oflog/oflog.h>

struct DICOMFile {
    DcmFileFormat format;
    OFString value;
    OFString syntax;
    const uint8_t *bytes;
    size_t count;
    // Where the value lies that DCMTK asked for last.
    offile_off_t asked = -1;
    std::vector<uint16_t> joined;
};

namespace {

// DCMTK takes its dictionary from where Debian's package puts it, or from where DCMDICTPATH says. A packed program, which runs where there
// may be neither, has one in share/repro beside its folder.
void find_dictionary() {
    if (dcmDataDict.isDictionaryLoaded()) return;
    std::error_code error;
    const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
    const std::filesystem::path packed = program.parent_path().parent_path() / "share/repro/dicom.dic";
    if (error || !std::filesystem::exists(packed, error)) return;
    dcmDataDict.wrlock().loadDictionary(packed.c_str());
    dcmDataDict.wrunlock();
}

// Errors are returned, never printed: a bad file among 750,000 is reported once, by the catalog. DCMTK decodes what it has been told of.
void set_up() {
    static std::once_flag once;
    std::call_once(once, [] {
        OFLog::configure(OFLogger::OFF_LOG_LEVEL);
        find_dictionary();
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

// A file's bytes in memory as DCMTK's input, from a place on.
class BytesProducer : public DcmProducer {
   public:
    BytesProducer(const DICOMFile *file, offile_off_t place) : file_(file), place_(place) {}
    OFBool good() const override { return OFTrue; }
    OFCondition status() const override { return EC_Normal; }
    OFBool eos() override { return avail() == 0; }
    offile_off_t avail() override { return (offile_off_t)file_->count - place_; }
    offile_off_t read(void *buffer, offile_off_t count) override {
        const offile_off_t taken = count < avail() ? count : avail();
        if (taken > 0) std::memcpy(buffer, file_->bytes + place_, (size_t)taken);
        return skip(taken);
    }
    offile_off_t skip(offile_off_t count) override {
        const offile_off_t taken = count < avail() ? count : avail();
        place_ += taken;
        return taken;
    }
    void putback(offile_off_t count) override { place_ -= count < place_ ? count : place_; }

   private:
    const DICOMFile *file_;
    offile_off_t place_;
};

class BytesStream : public DcmInputStream {
   public:
    BytesStream(DICOMFile *file, offile_off_t place) : DcmInputStream(&producer_), producer_(file, place), file_(file) {}
    // Long values are left where they are until somebody asks for them; what has to be inflated cannot be.
    DcmInputStreamFactory *newFactory() const override;

   private:
    BytesProducer producer_;
    DICOMFile *file_;
};

// Comes back to a value that was passed over.
class BytesFactory : public DcmInputStreamFactory {
   public:
    BytesFactory(DICOMFile *file, offile_off_t place) : file_(file), place_(place) {}
    DcmInputStream *create() const override {
        file_->asked = place_;
        return new BytesStream(file_, place_);
    }
    DcmInputStreamFactory *clone() const override { return new BytesFactory(*this); }
    DcmInputStreamFactoryType ident() const override { return DFT_DcmInputFileStreamFactory; }

   private:
    DICOMFile *file_;
    offile_off_t place_;
};

DcmInputStreamFactory *BytesStream::newFactory() const { return currentProducer() == &producer_ ? new BytesFactory(file_, tell()) : NULL; }

// The words of a value that lies in the file's bytes in this machine's byte order; NULL if it does not.
const uint8_t *words_in_place(DICOMFile *file, DcmElement *element) {
    if (gLocalByteOrder != EBO_LittleEndian || !syntax_of(file).isLittleEndian()) return NULL;
    // Only DCMTK knows where; it says so when the value's first word is wanted.
    DcmFileCache cache;
    Uint16 first = 0;
    file->asked = -1;
    if (element->getPartialValue(&first, 0, sizeof first, &cache).bad() || file->asked < 0) return NULL;
    return (size_t)file->asked + element->getLengthField() <= file->count ? file->bytes + file->asked : NULL;
}

}  // namespace

void dicom_keep_memory(void) {
#ifdef __GLIBC__
    mallopt(M_MMAP_THRESHOLD, 16 << 20);
    mallopt(M_TRIM_THRESHOLD, 16 << 20);
#endif
}

DICOMFile *dicom_open(const uint8_t *bytes, size_t count, bool *truncated, char *reason, size_t reason_capacity) try {
    set_up();
    std::unique_ptr<DICOMFile> file(new DICOMFile);
    file->bytes = bytes;
    file->count = count;
    BytesStream stream(file.get(), 0);
    file->format.setReadMode(ERM_fileOnly);
    file->format.transferInit();
    const OFCondition read = file->format.read(stream, EXS_Unknown, EGL_noChange, 4096);
    file->format.transferEnd();
    if (read.good()) return file.release();
    // A value that is longer than what is left of the file suspends DCMTK's reader, which hopes for more to come.
    *truncated = read == EC_StreamNotifyClient || read == EC_EndOfStream || read == EC_InvalidStream;
    explain(read.text(), reason, reason_capacity);
    return NULL;
} catch (const std::exception &error) {
    // A file that claims a value of gigabytes.
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
        case EXS_RLELossless: return true;
        default: return false;
    }
}

bool dicom_has_pixels(DICOMFile *file) { return pixel_element(file) != NULL; }

size_t dicom_pixel_bytes(DICOMFile *file) {
    DcmElement *element = pixel_element(file);
    return element ? element->getLengthField() : 0;
}

size_t dicom_words(DICOMFile *file, const void **words, char *reason, size_t reason_capacity) try {
    DcmDataset *dataset = file->format.getDataset();
    const bool is_compressed = dicom_is_compressed(file);
    if (is_compressed) {
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
    const size_t count = element->getLengthField() / 2;
    if (!is_compressed && (*words = words_in_place(file, element))) return count;
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
    file->joined.resize(count);
    for (size_t i = 0; i < count; ++i) file->joined[i] = (uint16_t)(narrow[2 * i] | narrow[2 * i + 1] << 8);
    *words = file->joined.data();
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
