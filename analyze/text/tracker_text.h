// What is pasted into an issue tracker of a scheduler's or the kernel's: Markdown.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "analyze/index/database.h"
#include "analyze/text/scx_dump.h"

namespace ktstr {

// The dumps one after the other, with an empty line between them.
std::string DumpText(const std::vector<ScxDump>& dumps);

// The verdict, what was frozen, which scheduler, its dump and the end of the kernel log. Errors:
// those of Database::Query.
Result<std::string> TrackerText(const Database& index, const std::vector<ScxDump>& dumps);

// Text that Markdown shows as it is: nothing in it is markup, a link or somebody's name.
std::string AsMarkdown(std::string_view text);
// Lines of text that Markdown shows as they are, whatever stands in them.
std::string FencedBlock(std::string_view text);

}  // namespace ktstr
