#include "chromium.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "capture/system/deadline.h"

namespace ktstr {

namespace {

using nlohmann::json;

// Generous: it only ends a test that has failed.
constexpr std::chrono::seconds kPatience(60);

struct Pipe {
  UniqueFd read_end, write_end;
};

// With descriptors that are not among those that the program gets, 3 and 4.
Result<Pipe> MakePipe() {
  std::array<int, 2> fds;
  if (pipe2(fds.data(), O_CLOEXEC) != 0) return Fail(ErrorCode::kIo, "cannot make a pipe");
  const UniqueFd read_end(fds[0]), write_end(fds[1]);
  Pipe pipe{UniqueFd(fcntl(fds[0], F_DUPFD_CLOEXEC, 20)),
            UniqueFd(fcntl(fds[1], F_DUPFD_CLOEXEC, 20))};
  return pipe;
}

std::string TextOf(const std::filesystem::path& path) {
  std::ifstream file(path);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

}  // namespace

Result<std::unique_ptr<Chromium>> Chromium::Start() {
  if (std::system("command -v chromium >/dev/null") != 0) {
    return Fail(ErrorCode::kNotFound,
                "there is no chromium here; tests/run.sh installs it (Debian package chromium)");
  }
  std::unique_ptr<Chromium> browser(new Chromium());
  Pipe to = KTSTR_TRY(MakePipe()), from = KTSTR_TRY(MakePipe());
  const int errors = open((browser->directory_ / "log").c_str(), O_WRONLY | O_CREAT, 0600);
  const UniqueFd errors_fd(errors);
  const std::string command = fmt::format(
      "exec chromium --headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
      "--disable-background-networking --disable-component-update --disable-sync "
      "--hide-scrollbars --user-data-dir={} --remote-debugging-pipe about:blank 3<&{} 4>&{}",
      (browser->directory_ / "profile").string(), to.read_end.get(), from.write_end.get());
  browser->process_ =
      KTSTR_TRY(ChildProcess::Start({.argv = {"bash", "-c", command},
                                     .kept_fds = {to.read_end.get(), from.write_end.get()},
                                     .stderr_fd = errors}));
  browser->in_ = std::move(to.write_end);
  browser->out_ = std::move(from.read_end);
  KTSTR_TRY(browser->OpenTab());
  return browser;
}

Chromium::~Chromium() {
  session_.clear();
  // It ends its own helpers. Whatever it says to that, it is waited for.
  if (in_.valid() && out_.valid()) (void)Call("Browser.close");
  in_.Close();
  if (process_) (void)process_->Wait(After(std::chrono::seconds(10)));
}

Status Chromium::OpenTab() {
  const json tab = KTSTR_TRY(Call("Target.createTarget", {{"url", "about:blank"}}));
  const json attached =
      KTSTR_TRY(Call("Target.attachToTarget", {{"targetId", tab["targetId"]}, {"flatten", true}}));
  session_ = attached["sessionId"];
  for (const char* domain : {"Page", "Runtime", "Network", "Log"}) {
    KTSTR_TRY(Call(std::string(domain) + ".enable"));
  }
  return {};
}

Status Chromium::Open(const std::filesystem::path& page) {
  // A page that only differs behind the # would not be loaded again.
  for (const std::string& url : {std::string("about:blank"), "file://" + page.string()}) {
    events_.clear();
    errors_.clear();
    requests_.clear();
    KTSTR_TRY(Call("Page.navigate", {{"url", url}}));
    KTSTR_TRY(WaitFor("Page.loadEventFired"));
  }
  return WaitUntilDrawn();
}

Result<json> Chromium::Evaluate(const std::string& expression) {
  const json answer = KTSTR_TRY(
      Call("Runtime.evaluate",
           {{"expression", expression}, {"returnByValue", true}, {"awaitPromise", true}}));
  if (answer.contains("exceptionDetails")) {
    return Fail(ErrorCode::kPeer, expression + " threw: " + answer["exceptionDetails"].dump());
  }
  return answer["result"].value("value", json());
}

Status Chromium::SetSize(int width, int height) {
  KTSTR_TRY(
      Call("Emulation.setDeviceMetricsOverride",
           {{"width", width}, {"height", height}, {"deviceScaleFactor", 1}, {"mobile", false}}));
  return WaitUntilDrawn();
}

Status Chromium::SetTheme(const std::string& theme) {
  const json feature = {{"name", "prefers-color-scheme"}, {"value", theme}};
  KTSTR_TRY(Call("Emulation.setEmulatedMedia", {{"features", json::array({feature})}}));
  return WaitUntilDrawn();
}

Status Chromium::WaitUntilDrawn() {
  KTSTR_TRY(
      Evaluate("new Promise((drawn) => requestAnimationFrame(() => "
               "requestAnimationFrame(() => drawn(true))))"));
  return {};
}

Result<json> Chromium::Call(const std::string& method, json parameters) {
  json message = {{"id", ++last_id_}, {"method", method}, {"params", std::move(parameters)}};
  if (!session_.empty()) message["sessionId"] = session_;
  const std::string text = message.dump();
  // With the NUL that ends a message.
  for (size_t sent = 0; sent <= text.size();) {
    const ssize_t n = write(in_.get(), text.c_str() + sent, text.size() + 1 - sent);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return Fail(ErrorCode::kPeer, method + ": chromium is gone");
    sent += static_cast<size_t>(n);
  }
  while (true) {
    json answer = KTSTR_TRY(Receive());
    if (answer.value("id", 0) != last_id_) {
      Note(answer);
      continue;
    }
    if (!answer.contains("error")) return answer.value("result", json::object());
    return Fail(ErrorCode::kPeer, method + ": " + answer["error"].dump());
  }
}

Status Chromium::WaitFor(const std::string& event) {
  while (std::find(events_.begin(), events_.end(), event) == events_.end()) {
    Note(KTSTR_TRY(Receive()));
  }
  return {};
}

Result<json> Chromium::Receive() {
  const Deadline deadline = After(kPatience);
  size_t end;
  while ((end = received_.find('\0')) == std::string::npos) {
    pollfd waiting = {out_.get(), POLLIN, 0};
    const int ready = poll(&waiting, 1, PollTimeout(deadline));
    if (ready < 0 && errno == EINTR) continue;
    if (ready == 0) return Fail(ErrorCode::kTimeout, "chromium does not answer");
    std::array<char, 65536> buffer;
    const ssize_t n = read(out_.get(), buffer.data(), buffer.size());
    if (n <= 0) {
      return Fail(ErrorCode::kPeer, "chromium ended; it said: " + TextOf(directory_ / "log"));
    }
    received_.append(buffer.data(), static_cast<size_t>(n));
  }
  json message = json::parse(received_.substr(0, end), nullptr, false);
  received_.erase(0, end + 1);
  return message;
}

void Chromium::Note(const json& event) {
  const std::string method = event.value("method", "");
  events_.push_back(method);
  const json parameters = event.value("params", json::object());
  if (method == "Network.requestWillBeSent") {
    requests_.push_back(parameters["request"]["url"]);
  } else if (method == "Runtime.exceptionThrown" ||
             (method == "Runtime.consoleAPICalled" && parameters["type"] == "error") ||
             (method == "Log.entryAdded" && parameters["entry"]["level"] == "error")) {
    errors_.push_back(parameters.dump());
  }
}

}  // namespace ktstr
