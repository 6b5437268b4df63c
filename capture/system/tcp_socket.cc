#include "capture/system/tcp_socket.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>

#include "capture/system/connect.h"
#include "capture/system/processes.h"
#include "capture/system/system_error.h"

namespace ktstr {

namespace {

namespace fs = std::filesystem;

// An address as /proc/net/tcp and tcp6 show it: words of the host's byte order in hexadecimal, and
// the port.
std::string ShownAddress(const sockaddr_storage& address) {
  std::string text;
  uint16_t port = 0;
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    text = fmt::format("{:08X}", v4.sin_addr.s_addr);
    port = ntohs(v4.sin_port);
  } else {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
    uint32_t words[4];
    std::memcpy(words, &v6.sin6_addr, sizeof words);
    for (const uint32_t word : words) text += fmt::format("{:08X}", word);
    port = ntohs(v6.sin6_port);
  }
  return fmt::format("{}:{:04X}", text, port);
}

// The same for a socket of IPv6 that talks to one of IPv4.
std::string ShownMapped(const std::string& v4) { return "0000000000000000FFFF0000" + v4; }

// The inode of the socket with these addresses.
std::string InodeOf(const std::string& local, const std::string& remote) {
  for (const char* table : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    std::ifstream file(table);
    for (std::string line; std::getline(file, line);) {
      std::istringstream words(line);
      std::string word[10];
      for (std::string& each : word) words >> each;
      const bool plain = word[1] == local && word[2] == remote;
      if (plain || (word[1] == ShownMapped(local) && word[2] == ShownMapped(remote))) {
        return word[9];
      }
    }
  }
  return "";
}

bool Holds(const fs::path& process, const std::string& target) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(process / "fd", error)) {
    if (fs::read_symlink(entry.path(), error) == target) return true;
  }
  return false;
}

}  // namespace

Result<UniqueFd> ConnectToTcp(const std::string& host, const std::string& port, Deadline deadline) {
  const addrinfo hints = {.ai_flags = AI_NUMERICSERV,
                          .ai_family = AF_UNSPEC,
                          .ai_socktype = SOCK_STREAM,
                          .ai_protocol = 0,
                          .ai_addrlen = 0,
                          .ai_addr = nullptr,
                          .ai_canonname = nullptr,
                          .ai_next = nullptr};
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(host.c_str(), port.c_str(), &hints, &found); error != 0) {
    return Fail(ErrorCode::kIo,
                fmt::format("looking for the host '{}': {}", host, gai_strerror(error)));
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> all(found, freeaddrinfo);
  Error failed(ErrorCode::kIo, "it has no address");
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
    UniqueFd fd(socket(each->ai_family, each->ai_socktype | SOCK_CLOEXEC, each->ai_protocol));
    if (!fd.valid()) return FailErrno("making a socket");
    auto connected = ConnectBy(deadline, fd.get(), each->ai_addr, each->ai_addrlen);
    if (connected) return fd;
    failed = std::move(connected).error();
  }
  return Fail(std::move(failed).Wrap(fmt::format("connecting to port {} of '{}'", port, host)));
}

Result<pid_t> ProcessAtOtherEnd(int socket) {
  sockaddr_storage ours = {}, theirs = {};
  socklen_t size = sizeof ours, their_size = sizeof theirs;
  if (getsockname(socket, reinterpret_cast<sockaddr*>(&ours), &size) != 0 ||
      getpeername(socket, reinterpret_cast<sockaddr*>(&theirs), &their_size) != 0) {
    return FailErrno("looking at a connection");
  }
  const std::string inode = InodeOf(ShownAddress(theirs), ShownAddress(ours));
  if (inode.empty() || inode == "0") {
    return Fail(ErrorCode::kNotFound, "the other end is no process of this machine");
  }
  const std::string target = fmt::format("socket:[{}]", inode);
  for (const pid_t pid : ListProcesses()) {
    if (Holds(fs::path("/proc") / std::to_string(pid), target)) return pid;
  }
  return Fail(ErrorCode::kNotFound, "the process at the other end belongs to another user");
}

}  // namespace ktstr
