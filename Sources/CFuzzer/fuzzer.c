#include "CFuzzer.h"

// Weak, so that the program can be built and replay its corpus without the sanitizer.
__attribute__((weak)) int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*callback)(const uint8_t *data, size_t size));

bool fuzzer_is_linked(void) { return LLVMFuzzerRunDriver != NULL; }

int fuzzer_run(int *argc, char ***argv, int (*callback)(const uint8_t *data, size_t size)) {
    return LLVMFuzzerRunDriver(argc, argv, callback);
}
