// Long answers at a terminal, a screen at a time.
#pragma once

#include <string>

namespace ktstr {

// Shows the text in the user's pager: KTSTR_PAGER, else PAGER, else "less -FRX", run by the shell;
// "cat" or nothing asks for none. True when it was shown; false, and nothing has been written,
// where standard output is no terminal or a dumb one, the text fits on the screen, or there is no
// such pager.
bool ShownInPager(const std::string& text);

}  // namespace ktstr
