// A file of ours that QEMU opens.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "capture/qemu/qmp_client.h"

namespace ktstr {

// QEMU can open it by a path until this goes. Over a Unix socket it is given the descriptor; over
// any other it must be allowed to open files of our process, as one of the same user is. A QEMU
// that does not see our process, in a container or as virtme-ng's in another root, is given a file
// in its own /tmp instead, of which the contents are in our file once this has gone: it is then
// written once only, by the plain path or the other.
class HandedFile {
 public:
  // `fd` is open for just what QEMU is to do. `qmp` and the file must outlive this. Errors: kPeer,
  // kTimeout, kIo.
  static Result<HandedFile> Give(QmpClient& qmp, int fd);
  HandedFile(HandedFile&& other) noexcept;
  HandedFile& operator=(HandedFile&&) = delete;
  ~HandedFile();

  // For QEMU's commands that know sets of descriptors, as most do.
  const std::string& path() const { return path_; }
  // For those that only know files, as pmemsave.
  const std::string& plain_path() const { return plain_path_; }

 private:
  static Result<HandedFile> GiveInItsRoot(QmpClient& qmp, int fd, pid_t pid);
  HandedFile(QmpClient& qmp, std::optional<int64_t> id, std::string path, std::string plain_path)
      : qmp_(qmp), id_(id), path_(std::move(path)), plain_path_(std::move(plain_path)) {}

  QmpClient& qmp_;
  std::optional<int64_t> id_;  // of its set; none over TCP
  std::string path_, plain_path_;
  int copy_to_ = -1;       // our file, where QEMU writes another
  std::string its_place_;  // of that one, as we see it
};

// Takes away what QEMU keeps of files that were handed to it: one older than 9.1 closes no
// descriptor while the guest stands still, and none later by itself. Those of this process, of
// processes that have ended, and of `owner`, of which nobody may know yet that it has.
void RemoveHandedFiles(QmpClient& qmp, pid_t owner = 0);

}  // namespace ktstr
