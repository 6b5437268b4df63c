// Runs a program of the initramfs and waits for it.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace ktstr::guest {

// Runs request["argv"] with request["stdin"]; puts "status" (as waitpid tells it) and "stdout" into
// `reply`. "" or what went wrong.
std::string RunProgram(const nlohmann::json& request, nlohmann::json* reply);

}  // namespace ktstr::guest
