// libFuzzer's entry point for programs that have a main of their own: https://llvm.org/docs/LibFuzzer.html#using-libfuzzer-as-a-library
#ifndef CFUZZER_H
#define CFUZZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Whether the program was built with -sanitize=fuzzer; without it there is no driver.
bool fuzzer_is_linked(void);

// Runs libFuzzer with a program's arguments; call it only if there is one.
int fuzzer_run(int *argc, char ***argv, int (*callback)(const uint8_t *data, size_t size));

#endif
