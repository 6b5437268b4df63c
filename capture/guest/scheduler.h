// Loads a sched_ext scheduler from a BPF object, sets its variables, and tells what became of it.
#pragma once

#include <bpf/libbpf.h>

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "variables.h"

namespace ktstr::guest {

// The text of every file below /sys/kernel/sched_ext by its path there, such as "state" and
// "root/ops", without the last line feed. Empty where the kernel has no sched_ext.
nlohmann::json ReadSchedExtFiles();

class Scheduler {
 public:
  Scheduler();

  // Opens the object at request["object"], gives its constants of the form __SCX_… the values of
  // the kernel's enumerators, its variables the values of request["variables"] (a cgroup's id is
  // written {"cgroup": "/a/b"}), loads it and enables its struct_ops. A scheduler that ended by
  // itself is unloaded first. "" or what went wrong: libbpf's and the verifier's words, or the
  // exit's.
  std::string Load(const nlohmann::json& request);
  // Sets request["variables"] in the loaded object; those in .rodata, in an
  // arena and of struct_ops are fixed.
  std::string Set(const nlohmann::json& request);
  // Disables and unloads it; what Describe then said goes into `reply`.
  std::string Unload(nlohmann::json* reply);

  // Adds to `reply`: "sched_ext" (ReadSchedExtFiles), "object" (null when none is loaded),
  // "variables" (name → value) and "exit" (null, or "kind", "code", "reason", "message", "dump").
  void Describe(nlohmann::json* reply) const;

  bool loaded() const { return object_ != nullptr; }
  // True once, when the scheduler has ended by itself.
  bool JustEnded();

 private:
  std::string Open(const std::string& path, const nlohmann::json& variables);
  void FillEnumerators(const nlohmann::json& variables);
  std::string Enable();
  std::byte* BytesOf(const Variable& variable) const;
  nlohmann::json Value(const std::string& name) const;
  nlohmann::json Exit() const;
  bool HasEnded() const;
  void Close();

  bpf_object* object_ = nullptr;
  bpf_link* link_ = nullptr;
  std::string path_;
  bool end_told_ = false;
};

}  // namespace ktstr::guest
