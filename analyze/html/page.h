// The page of a report: its template, style and scripts (page/), which are part of the program.
#pragma once

#include <string>
#include <string_view>

namespace ktstr {

// One HTML file that loads nothing: `title` is any text, `json` what its scripts show. The page
// allows only its own style and scripts to run (Content-Security-Policy, by their digests).
std::string HtmlPage(std::string_view title, std::string_view json);

// Text between tags and in attributes: no markup, and safe to show (SafeText).
std::string HtmlText(std::string_view text);

// JSON that no HTML parser finds an end of the script in, or a comment.
std::string JsonInScript(std::string_view json);

}  // namespace ktstr
