// What the inits of guests of tests share. They are linked statically and know nothing of the rest.
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <initializer_list>

[[noreturn]] inline void Stay() {
  for (;;) pause();
}

[[noreturn]] inline void Fail(const char* what) {
  fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, strerror(errno));
  Stay();
}

// Mounts what programs expect, and talks on the console from then on.
inline void OpenConsole() {
  for (const char* directory : {"/dev", "/proc", "/sys", "/tmp"}) mkdir(directory, 0755);
  mount("devtmpfs", "/dev", "devtmpfs", 0, nullptr);
  mount("proc", "/proc", "proc", 0, nullptr);
  mount("sysfs", "/sys", "sysfs", 0, nullptr);
  const int console = open("/dev/console", O_RDWR);
  for (int fd = 0; fd < 3 && console >= 0; ++fd) dup2(console, fd);
}
