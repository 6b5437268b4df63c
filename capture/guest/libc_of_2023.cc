// Functions of glibc 2.38 that a libbpf built with a newer C library calls, for an older one to
// link with: the C23 forms of scanf and strtoull, which read binary numbers (0b…) too. Nothing that
// libbpf reads has any. Weak, for a C library that has them itself.
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

extern "C" {

[[gnu::weak]] int __isoc23_sscanf(const char* text, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  const int read = vsscanf(text, format, arguments);
  va_end(arguments);
  return read;
}

[[gnu::weak]] int __isoc23_fscanf(FILE* file, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  const int read = vfscanf(file, format, arguments);
  va_end(arguments);
  return read;
}

[[gnu::weak]] unsigned long long __isoc23_strtoull(const char* text, char** end, int base) {
  return strtoull(text, end, base);
}

}  // extern "C"
