// Fields: the members of one kernel structure that a walker wants, found by BTF once. A member that
// a kernel does not have costs its column, not the walk.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "libcore/image/type_info.h"
#include "libcore/kernel/object_reader.h"
#include "libcore/walk/row/anomaly.h"
#include "libcore/walk/row/member_paths.h"
#include "libcore/walk/row/walk.h"

namespace ktstr {

using MaybeMember = std::optional<Member>;

// The base of what lists members, each with the paths under which kernels have it:
//
//   struct DsqMembers : Fields {
//     explicit DsqMembers(const Walk& walk) : Fields(walk, "scx_dispatch_q") {}
//     MaybeMember id = Need("id"), list = Maybe("list");
//   };
//
// All members are found when such an object is made; from then on nothing of the walk is used.
class Fields {
 public:
  Fields(const Walk& walk, std::string_view struct_name) : Fields(walk, Structure{struct_name}) {}
  Fields(const Walk& walk, Structure structure);

  // The member at the first of these paths that exists. When none does, that is an anomaly.
  template <typename... Path>
  MaybeMember Need(const Path&... paths) const {
    return Find(MemberPaths(paths...), /*needed=*/true);
  }
  // The same for members that only some kernels have: nothing is no anomaly.
  template <typename... Path>
  MaybeMember Maybe(const Path&... paths) const {
    return Find(MemberPaths(paths...), /*needed=*/false);
  }
  MaybeMember Find(const MemberPaths& paths, bool needed) const;

 private:
  const TypeInfo* types_;
  Anomalies* anomalies_;
  Structure structure_;
  std::optional<TypeId> type_;  // in which paths begin; none: the kernel does not have it
  uint64_t offset_ = 0;         // of the part
  bool absent_ = false;         // and that is nothing to tell of
};

// Reads members of one object into optional cells, each as wide as BTF says it is; what cannot be
// read is one anomaly per object.
class CellReader {
 public:
  CellReader(const Walk& walk, Kva base, std::string_view what)
      : object_(walk.kernel, base), what_(what), anomalies_(walk.anomalies) {}

  ObjectReader& object() { return object_; }
  std::optional<int64_t> Integer(const MaybeMember& member);
  std::optional<uint64_t> Unsigned(const MaybeMember& member);
  std::optional<Kva> Pointer(const MaybeMember& member);
  // The bits of the member as they are: without a sign.
  std::optional<Hex> HexOf(const MaybeMember& member);
  std::optional<std::string> Text(const MaybeMember& member);
  // Whether a member could not be read.
  bool failed() const { return failed_; }
  // Reports an error of reading this object, the first one only.
  void Report(const Error& error);

 private:
  ObjectReader object_;
  std::string_view what_;
  Anomalies& anomalies_;
  bool failed_ = false;
};

}  // namespace ktstr
