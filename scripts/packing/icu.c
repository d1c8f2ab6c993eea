// An ICU that knows no encoding, in place of libicuuc and its 30 MB of tables.
//
// DCMTK's libdcmdata is linked with libxml2 for the sake of DCMTK's own programs, and Debian's libxml2 with ICU, which it asks for a
// converter when a document is in an encoding that it does not know itself. The kit reads no XML. Should anybody who loads libxml2 into
// the same process do so, opening a converter fails here as it does in ICU when its tables are missing, and libxml2 says that the
// encoding is unsupported. Compiled with ICU=72 and so on, the number that ICU puts behind its functions' names.
#include <stddef.h>
#include <stdint.h>

// ICU's codes U_FILE_ACCESS_ERROR and U_UNSUPPORTED_ERROR (unicode/utypes.h).
enum { file_access_error = 4, unsupported_error = 16 };

#define JOIN(name, version) name##_##version
#define VERSIONED(name, version) JOIN(name, version)
#define ICU_NAME(name) VERSIONED(name, ICU)

void *ICU_NAME(ucnv_open)(const char *name, int *status) {
    (void)name;
    *status = file_access_error;
    return NULL;
}

void ICU_NAME(ucnv_close)(void *converter) { (void)converter; }

// None of the following is ever reached without a converter.

void ICU_NAME(ucnv_convertEx)(void *target_converter, void *source_converter, char **target, const char *target_end, const char **source,
                              const char *source_end, uint16_t *pivot_start, uint16_t **pivot_source, uint16_t **pivot_target,
                              const uint16_t *pivot_end, signed char reset, signed char flush, int *status) {
    (void)target_converter, (void)source_converter, (void)target, (void)target_end, (void)source, (void)source_end, (void)pivot_start;
    (void)pivot_source, (void)pivot_target, (void)pivot_end, (void)reset, (void)flush;
    *status = unsupported_error;
}

void ICU_NAME(ucnv_setToUCallBack)(void *converter, void *action, const void *context, void *old_action, const void **old_context,
                                   int *status) {
    (void)converter, (void)action, (void)context, (void)old_action, (void)old_context;
    *status = unsupported_error;
}

void ICU_NAME(ucnv_setFromUCallBack)(void *converter, void *action, const void *context, void *old_action, const void **old_context,
                                     int *status) {
    (void)converter, (void)action, (void)context, (void)old_action, (void)old_context;
    *status = unsupported_error;
}

void ICU_NAME(UCNV_TO_U_CALLBACK_STOP)(const void *context, void *arguments, const char *units, int32_t length, int reason, int *status) {
    (void)context, (void)arguments, (void)units, (void)length, (void)reason, (void)status;
}

void ICU_NAME(UCNV_FROM_U_CALLBACK_STOP)(const void *context, void *arguments, const uint16_t *units, int32_t length, int32_t point,
                                         int reason, int *status) {
    (void)context, (void)arguments, (void)units, (void)length, (void)point, (void)reason, (void)status;
}
