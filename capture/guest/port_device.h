// The virtio-serial ports of the machine, by the names that the host gave them.
#pragma once

#include <string>

namespace ktstr::guest {

// Waits for the port's device and opens it: its descriptor, or -1 and what went wrong. Only one
// program can have a port open.
int OpenPort(const char* name, std::string* error);

// Sleeps for so many milliseconds.
void Pause(int milliseconds);

}  // namespace ktstr::guest
