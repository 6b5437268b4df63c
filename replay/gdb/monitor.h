// The commands that people give by gdb's `monitor`: what the protocol itself has no words for.
#pragma once

#include <string>
#include <string_view>

#include "replay/gdb/frozen_target.h"

namespace ktstr {

// Lines of text, also where the command fails. `thread` is the one that gdb stands in.
std::string AnswerMonitor(FrozenTarget& target, GdbThread thread, std::string_view words);

}  // namespace ktstr
