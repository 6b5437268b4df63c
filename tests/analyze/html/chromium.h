// A Chromium without a window, driven by the DevTools protocol over its pipe.
#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "capture/system/child_process.h"
#include "fixtures/sample/temporary_directory.h"
#include "libcore/base/result.h"
#include "libcore/base/unique_fd.h"

namespace ktstr {

class Chromium {
 public:
  // Starts it with an empty profile and one empty tab. Errors: kNotFound when there is no chromium,
  // with the package to install; kPeer, kTimeout with what it printed.
  static Result<std::unique_ptr<Chromium>> Start();
  ~Chromium();

  // Loads a file into the tab and waits until it is loaded. Forgets what happened before.
  Status Open(const std::filesystem::path& page);
  // The value of an expression, awaited where it is a promise. Errors: also kPeer when it throws.
  Result<nlohmann::json> Evaluate(const std::string& expression);
  // The tab's size in pixels, and "light" or "dark". Return when the page was drawn with it.
  Status SetSize(int width, int height);
  Status SetTheme(const std::string& theme);

  // Since Open: what went wrong in the page (exceptions, errors on the console, refused by its
  // policy), and every address that it asked for.
  const std::vector<std::string>& errors() const { return errors_; }
  const std::vector<std::string>& requests() const { return requests_; }

 private:
  Chromium() = default;
  Status OpenTab();
  // Sends a command and waits for its answer; events on the way are noted.
  Result<nlohmann::json> Call(const std::string& method,
                              nlohmann::json parameters = nlohmann::json::object());
  Status WaitFor(const std::string& event);
  Status WaitUntilDrawn();
  Result<nlohmann::json> Receive();
  void Note(const nlohmann::json& event);

  synthetic::TemporaryDirectory directory_;
  std::optional<ChildProcess> process_;
  UniqueFd in_, out_;  // what it reads, what it writes
  std::string received_, session_;
  int last_id_ = 0;
  std::vector<std::string> events_, errors_, requests_;
};

}  // namespace ktstr
