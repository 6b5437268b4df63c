// Where a QMP server listens, as people and QEMU's command line write it.
#pragma once

#include <string>
#include <string_view>

#include "libcore/base/result.h"

namespace ktstr {

struct QmpAddress {
  // Of these, those of one way are not empty.
  std::string path;        // of a Unix socket
  std::string host, port;  // of TCP
  std::string domain;      // libvirt's name of the guest

  friend bool operator==(const QmpAddress&, const QmpAddress&) = default;
};

// "PATH", "unix:PATH", "HOST:PORT", "[::1]:PORT", "tcp:HOST:PORT", ":PORT" (this machine),
// "libvirt:DOMAIN"; QEMU's
// options behind a comma (",server=on,wait=off") do not matter. A name with a slash in it, or of a
// file that is there, is a path. Errors: kInvalidArgument.
Result<QmpAddress> ParseQmpAddress(std::string_view text);

}  // namespace ktstr
