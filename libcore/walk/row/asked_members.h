// Which members of the kernel's structures are looked for: kept while somebody wants to know, which
// is a test that holds each of them against the types of every kernel to be had.
#pragma once

#include <compare>
#include <string>
#include <vector>

#include "libcore/walk/row/member_paths.h"

namespace ktstr {

struct AskedMember {
  std::string structure, part;     // as Structure has them
  std::vector<std::string> paths;  // in the order in which they are looked for
  bool needed = false;             // a kernel that has the structure has one of them

  friend auto operator<=>(const AskedMember&, const AskedMember&) = default;
};

class AskedMembers {
 public:
  // From now on all are kept, of every thread. One such object at a time.
  AskedMembers();
  ~AskedMembers();
  AskedMembers(const AskedMembers&) = delete;
  AskedMembers& operator=(const AskedMembers&) = delete;

  // Those until now, each once, by name.
  std::vector<AskedMember> All() const;

  // Keeps one where somebody wants to know.
  static void Note(const Structure& structure, const MemberPaths& paths, bool needed);
};

}  // namespace ktstr
