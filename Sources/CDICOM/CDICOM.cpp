#include "CDICOM.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <exception>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <dcmtk/config/osconfig.h>

#include <dcmtk/dcmdata/dctk.h>
#include <dcmtk/dcmdata/dcfcache.h>
#include <dcmtk/dcmdata/dcistrma.h>
#include <dcmtk/dcmdata/dcostrmb.h>
#include <dcmtk/dcmdata/dcpixseq.h>
#include <dcmtk/dcmdata/dcpxitem.h>
#include <dcmtk/dcmdata/dcrledrg.h>
#include <dcmtk/dcmjpeg/djdecode.h>
#include <dcmtk/dcmjpls/djdecode.h>
#include <dcmtk/oflog/oflog.h>
#include <dcmtk/oflog/spi/logevent.h>

struct DICOMFile {
    DcmDataset dataset;
    OFString value;
    const uint8_t *bytes;
    size_t count;
    bool swaps_pixels;
    // Where the value lies that DCMTK asked for last.
    offile_off_t asked = -1;
    std::vector<uint16_t> joined;
    // What is there twice, in the data set or in an item.
    std::vector<DcmTagKey> doubled;
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

// What DCMTK finds wrong in this thread's file and goes on: its JPEG decoder makes up the pixels that it cannot decode, and of attributes
// that are there twice it takes the first.
thread_local std::vector<std::string> complaints;

class Listener : public dcmtk::log4cplus::Appender {
   public:
    ~Listener() override { destructorImpl(); }
    void close() override { closed = true; }

   protected:
    void append(const dcmtk::log4cplus::spi::InternalLoggingEvent &event) override { complaints.push_back(event.getMessage().c_str()); }
};

void listen() {
    const dcmtk::log4cplus::SharedAppenderPtr listener(new Listener);
    for (const char *name : {"dcmtk.dcmjpeg", "dcmtk.dcmdata"}) {
        OFLogger logger = OFLog::getLogger(name);
        logger.setAdditivity(false);
        logger.setLogLevel(OFLogger::WARN_LOG_LEVEL);
        logger.addAppender(listener);
    }
}

// The tags that DCMTK has found twice: "DcmItem: Element RescaleSlope (0028,1053) found twice in one dataset or item, ...".
std::vector<DcmTagKey> doubled_tags() {
    std::vector<DcmTagKey> tags;
    for (const std::string &complaint : complaints) {
        const size_t end = complaint.find(" found twice"), start = complaint.rfind('(', end);
        unsigned group = 0, element = 0;
        if (end == std::string::npos || start == std::string::npos) continue;
        if (std::sscanf(complaint.c_str() + start, "(%x,%x)", &group, &element) == 2) tags.emplace_back((Uint16)group, (Uint16)element);
    }
    return tags;
}

// Errors are returned, never printed: a bad file among 750,000 is reported once, by the catalog. DCMTK decodes what it has been told of.
void set_up() {
    static std::once_flag once;
    std::call_once(once, [] {
        OFLog::configure(OFLogger::OFF_LOG_LEVEL);
        listen();
        // An attribute of unknown representation has the dictionary's (PS3.5, 6.2.2).
        dcmEnableUnknownVRConversion.set(OFTrue);
        find_dictionary();
        DJDecoderRegistration::registerCodecs();
        DJLSDecoderRegistration::registerCodecs();
        DcmRLEDecoderRegistration::registerCodecs();
    });
}

void explain(const char *text, char *reason, size_t capacity) {
    if (capacity > 0) std::snprintf(reason, capacity, "%s", text);
}

// The transfer syntax that the data set was read in.
DcmXfer syntax_of(DICOMFile *file) { return DcmXfer(file->dataset.getOriginalXfer()); }

DcmElement *pixel_element(DICOMFile *file) {
    DcmElement *element = NULL;
    const OFCondition found = file->dataset.findAndGetElement(DCM_PixelData, element);
    return found.good() ? element : NULL;
}

// A value's text to its end, also where a zero byte inside would end it: padding is at the end.
const char *whole_text(OFString &value) {
    size_t end = value.size();
    while (end > 0 && value[end - 1] == 0) --end;
    value.resize(end);
    for (size_t i = 0; (i = value.find('\0', i)) != OFString_npos;) value.replace(i, 1, "\u2400");
    return value.c_str();
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
    BytesStream(DICOMFile *file, offile_off_t place) : DcmInputStream(&producer_), producer_(file, place), file_(file), start_(place) {}
    // Long values are left where they are until somebody asks for them; what has to be inflated cannot be.
    DcmInputStreamFactory *newFactory() const override;

   private:
    BytesProducer producer_;
    DICOMFile *file_;
    offile_off_t start_;
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

DcmInputStreamFactory *BytesStream::newFactory() const {
    return currentProducer() == &producer_ ? new BytesFactory(file_, start_ + tell()) : NULL;
}

// Whether a value that was passed over ends before the file does; DCMTK passes over what is not there, too.
bool lies_in_file(DICOMFile *file, DcmElement *element) {
    if (syntax_of(file).isEncapsulated()) return true;
    DcmFileCache cache;
    Uint16 first = 0;
    file->asked = -1;
    if (element->getPartialValue(&first, 0, sizeof first, &cache).bad()) return false;
    return file->asked < 0 || (size_t)file->asked + element->getLengthField() <= file->count;
}

// The words of a value that lies in the file's bytes in this machine's byte order; NULL if it does not.
const uint8_t *words_in_place(DICOMFile *file, DcmElement *element) {
    if (gLocalByteOrder != EBO_LittleEndian || !syntax_of(file).isLittleEndian() || file->swaps_pixels) return NULL;
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

DICOMFile *dicom_open(const uint8_t *bytes, size_t count, DICOMEncoding encoding, DICOMOddity *oddity, char *reason,
                      size_t reason_capacity) try {
    set_up();
    std::unique_ptr<DICOMFile> file(new DICOMFile);
    file->bytes = bytes;
    file->count = count;
    file->swaps_pixels = encoding.swaps_pixels;
    BytesStream stream(file.get(), (offile_off_t)encoding.start);
    const E_TransferSyntax syntax = DcmXfer(encoding.transfer_syntax).getXfer();
    const DcmTagKey end = encoding.ends_at_pixels ? DCM_PixelData : DCM_UndefinedTagKey;
    complaints.clear();
    file->dataset.transferInit();
    const OFCondition read = file->dataset.readUntilTag(stream, syntax, EGL_noChange, 4096, end);
    DcmElement *pixels = pixel_element(file.get());
    const bool has_pixels = pixels && pixels->transferState() == ERW_ready && read != EC_PixelDataExplLengthIllegal;
    file->dataset.transferEnd();
    file->doubled = doubled_tags();
    if (read.good()) return file.release();
    oddity->stray_bytes = has_pixels && lies_in_file(file.get(), pixels);
    if (oddity->stray_bytes) return file.release();
    // A value that is longer than what is left of the file suspends DCMTK's reader, which hopes for more to come.
    oddity->truncated = read == EC_StreamNotifyClient || read == EC_EndOfStream || read == EC_InvalidStream;
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
    if (file->dataset.findAndGetOFStringArray(key, file->value).good()) return whole_text(file->value);
    for (const DcmTagKey &groups : {DCM_PerFrameFunctionalGroupsSequence, DCM_SharedFunctionalGroupsSequence}) {
        DcmItem *frame = NULL;
        DcmElement *found = NULL;
        if (file->dataset.findAndGetSequenceItem(groups, frame, 0).bad() || !frame) continue;
        if (frame->findAndGetElement(key, found, OFTrue).bad() || !found) continue;
        if (found->getOFStringArray(file->value).good()) return whole_text(file->value);
    }
    return NULL;
}

bool dicom_is_doubled(DICOMFile *file, uint16_t group, uint16_t element) {
    return std::find(file->doubled.begin(), file->doubled.end(), DcmTagKey(group, element)) != file->doubled.end();
}

bool dicom_is_compressed(DICOMFile *file) { return syntax_of(file).isEncapsulated(); }

// How many bytes the segments of an RLE frame decode to (PS3.5, annex G): 16 numbers of 4 bytes, of which the first says how many segments
// there are and the others where they begin.
static void measure_runs(const uint8_t *bytes, size_t count, DICOMStream *stream) {
    if (count < 64) return;
    const auto number = [bytes](size_t i) {
        return (size_t)bytes[4 * i] | bytes[4 * i + 1] << 8 | bytes[4 * i + 2] << 16 | (size_t)bytes[4 * i + 3] << 24;
    };
    const size_t segments = number(0);
    for (size_t i = 1; i <= segments && i < 16; ++i) {
        const size_t end = i < segments && i < 15 && number(i + 1) < count ? number(i + 1) : count;
        int64_t decoded = 0;
        for (size_t at = number(i); at < end;) {
            const int8_t code = (int8_t)bytes[at];
            if (code >= 0) {
                // What is cut off is not there.
                const size_t there = end - at - 1;
                decoded += there < (size_t)code + 1 ? (int64_t)there : code + 1;
                at += (size_t)code + 2;
            } else {
                if (code != -128 && at + 1 < end) decoded += 1 - code;
                at += code == -128 ? 1 : 2;
            }
        }
        if (i == 1 || decoded < stream->fewest_run_bytes) stream->fewest_run_bytes = decoded;
        if (decoded > stream->most_run_bytes) stream->most_run_bytes = decoded;
    }
}

DICOMStream dicom_stream(DICOMFile *file) {
    DICOMStream stream = {-1, -1, -1, -1, -1};
    // An element of another VR than a pixel data's, in a damaged file, is none.
    DcmPixelData *pixels = dynamic_cast<DcmPixelData *>(pixel_element(file));
    DcmPixelSequence *fragments = NULL;
    DcmPixelItem *fragment = NULL;
    Uint8 *bytes = NULL;
    if (!pixels || pixels->getEncapsulatedRepresentation(syntax_of(file).getXfer(), NULL, fragments).bad()) return stream;
    // The offset table comes first.
    if (fragments->getItem(fragment, 1).bad() || fragment->getUint8Array(bytes).bad() || !bytes) return stream;
    const size_t count = fragment->getLengthField();
    if (syntax_of(file).getXfer() == EXS_RLELossless) {
        measure_runs(bytes, count, &stream);
        return stream;
    }
    // Segments are a marker and a length that counts itself.
    for (size_t at = 2; at + 4 <= count && bytes[at] == 0xFF;) {
        const uint8_t marker = bytes[at + 1];
        const size_t length = (size_t)bytes[at + 2] << 8 | bytes[at + 3];
        if (length < 2 || at + 2 + length > count) break;
        // The frame's header (SOF3 of ISO 10918-1, SOF55 of 14495-1): precision, rows, columns.
        if ((marker == 0xC3 || marker == 0xF7) && length >= 7) {
            stream.rows = bytes[at + 5] << 8 | bytes[at + 6];
            stream.columns = bytes[at + 7] << 8 | bytes[at + 8];
        }
        // The first scan's: the number of its components, two bytes for each, and NEAR (ISO 14495-1, C.2.3).
        if (marker == 0xDA) {
            const size_t near = at + 5 + 2 * (size_t)bytes[at + 4];
            if (length > 2 && near < at + 2 + length) stream.near = bytes[near];
            break;
        }
        at += 2 + length;
    }
    return stream;
}

bool dicom_has_pixels(DICOMFile *file) { return pixel_element(file) != NULL; }

size_t dicom_pixel_bytes(DICOMFile *file) {
    DcmElement *element = pixel_element(file);
    return element ? element->getLengthField() : 0;
}

size_t dicom_words(DICOMFile *file, const void **words, char *reason, size_t reason_capacity) try {
    const bool is_compressed = dicom_is_compressed(file);
    if (is_compressed) {
        complaints.clear();
        const OFCondition decoded = file->dataset.chooseRepresentation(EXS_LittleEndianExplicit, NULL);
        if (decoded.bad() || !complaints.empty()) {
            explain(decoded.bad() ? decoded.text() : complaints[0].c_str(), reason, reason_capacity);
            return 0;
        }
    }
    DcmElement *element = pixel_element(file);
    if (!element) {
        explain("no PixelData", reason, reason_capacity);
        return 0;
    }
    // DCMTK and this function would take memory for it: 8192 x 8192 pixels, undefined lengths included.
    if (element->getLengthField() > 1u << 28) {
        explain("PixelData is said to be larger than any slice", reason, reason_capacity);
        return 0;
    }
    const size_t count = element->getLengthField() / 2;
    if (!is_compressed && (*words = words_in_place(file, element))) return count;
    // Sixteen-bit pixels of a VR of bytes are in the data set's order, as pydicom takes them; DCMTK takes them for little-endian.
    const bool are_swapped = !is_compressed && !syntax_of(file).isLittleEndian() && element->getTag().getEVR() != EVR_OW;
    Uint16 *wide = NULL;
    const OFCondition read = element->getUint16Array(wide);
    if (read.good() && wide) {
        *words = wide;
        if (file->swaps_pixels == are_swapped) return count;
        file->joined.resize(count);
        for (size_t i = 0; i < count; ++i) file->joined[i] = (uint16_t)(wide[i] << 8 | wide[i] >> 8);
        *words = file->joined.data();
        return count;
    }
    Uint8 *narrow = NULL;
    const OFCondition raw = element->getUint8Array(narrow);
    if (raw.bad() || !narrow) {
        explain(read.bad() ? read.text() : raw.text(), reason, reason_capacity);
        return 0;
    }
    file->joined.resize(count);
    const size_t low = syntax_of(file).isLittleEndian() ? 0 : 1;
    for (size_t i = 0; i < count; ++i) file->joined[i] = (uint16_t)(narrow[2 * i + low] | narrow[2 * i + 1 - low] << 8);
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
