// Cgroups (v2) of the guest: makes them, sets their files and puts tasks into them.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace ktstr::guest {

inline constexpr char kCgroupRoot[] = "/sys/fs/cgroup";

// Makes the cgroup at request["path"] ("/a/b") with those above it, as far as they are not there,
// and writes request["files"]: {"cpu.weight": "200", "cgroup.procs": [12, 13]}, an element of an
// array by a write of its own. The controllers that the files belong to are enabled above it. "" or
// what went wrong.
std::string SetUpCgroup(const nlohmann::json& request);

}  // namespace ktstr::guest
