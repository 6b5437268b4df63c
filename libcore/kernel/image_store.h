// ImageStore: decoded symbols and types of the kernels that a user looks at, one file for each
// build, shared by that user's processes.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "libcore/base/result.h"
#include "libcore/image/image_file.h"
#include "libcore/kernel/stored_images.h"

namespace ktstr {

class ImageStore {
 public:
  // Files there are this user's alone. They go, the longest unused first, when they are more than
  // `limit` bytes.
  explicit ImageStore(std::filesystem::path directory, uint64_t limit = uint64_t{512} << 20)
      : directory_(std::move(directory)), limit_(limit) {}
  // In the user's cache directory; nothing where there is none.
  static std::unique_ptr<ImageStore> OfUser();

  // The file of that build that `fits`; null when there is none. Files that are damaged or of
  // another version are as good as none.
  using Fits = std::function<bool(const ImageFile&, const StoredImages&)>;
  std::shared_ptr<const ImageFile> Find(const std::string& build_id, const Fits& fits) const;
  // Adds one. A build whose bytes somebody has changed has a file of its own. Returns the list of
  // what has them. Errors: kIo.
  Result<StoredImages> Add(const std::string& build_id, const ImageExtents& extents,
                           const ImageKey& key, const ImageDigest& digest,
                           const SymbolTable& symbols, const TypeInfo* types) const;

 private:
  void Prune() const;

  std::filesystem::path directory_;
  uint64_t limit_;  // in bytes
};

}  // namespace ktstr
