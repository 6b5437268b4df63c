// What the manual page of ktstr-run says beyond its help.
#pragma once

#include "libcore/cli/manual.h"

namespace ktstr {

Manual RunManual();

}  // namespace ktstr
