// Fields: the members of one kernel structure that a walker wants, resolved once by BTF. A member
// that a kernel does not have costs its column, not the walk.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "ktstr/image/type_info.h"
#include "ktstr/kernel/object_reader.h"
#include "ktstr/walk/anomaly.h"

namespace ktstr {

using MaybeMember = std::optional<Member>;

class Fields {
 public:
  Fields(const TypeInfo& types, std::string_view struct_name, Anomalies& anomalies)
      : types_(types), struct_name_(struct_name), anomalies_(anomalies) {}

  // The member at the first of these paths (members get renamed) that exists. When none does, that
  // is an anomaly.
  MaybeMember Need(std::initializer_list<std::string_view> paths);
  MaybeMember Need(std::string_view path) { return Need({path}); }
  // The same for members that only some kernels have: nothing is no anomaly.
  MaybeMember Maybe(std::initializer_list<std::string_view> paths);
  MaybeMember Maybe(std::string_view path) { return Maybe({path}); }

 private:
  const TypeInfo& types_;
  std::string struct_name_;
  Anomalies& anomalies_;
};

// Reads members of one object into optional cells; what cannot be read is one anomaly per object.
class CellReader {
 public:
  CellReader(const GuestKernel& kernel, Kva base, std::string_view what, Anomalies& anomalies)
      : object_(kernel, base), what_(what), anomalies_(anomalies) {}

  ObjectReader& object() { return object_; }
  std::optional<int64_t> Integer(const MaybeMember& member);
  std::optional<uint64_t> Unsigned(const MaybeMember& member);
  std::optional<Kva> Pointer(const MaybeMember& member);
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
