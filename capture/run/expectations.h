// Whether what a scenario expects holds.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "capture/scenario/scenario.h"

namespace ktstr {

// What a worker expectation finds wrong with the guest's account of its workers
// (guest/worker_pool.h), one sentence each.
std::vector<std::string> CheckWorkers(const Expectation& expectation,
                                      const nlohmann::json& workers);

// The same of all of them that are about workers; where one has words of its own, these come first.
std::vector<std::string> CheckAllWorkers(const std::vector<Expectation>& expectations,
                                         const nlohmann::json& workers);

// What is wrong with a query's rows, given as ktstr-analyze's JSON; empty when nothing is.
std::string CheckRows(const Expectation& expectation, const nlohmann::json& rows);

// Rows of a query over an archive, by ktstr-analyze: that program, or the one of that name beside
// ours or in PATH when empty. Errors: kInvalidArgument when it refuses the query, kPeer when it
// fails, kIo.
Result<nlohmann::json> QueryArchive(const std::filesystem::path& analyze,
                                    const std::filesystem::path& archive, const std::string& sql);

// What is wrong with the rows of all of the scenario's queries, one sentence each. Errors: those of
// QueryArchive, with the query's place.
Result<std::vector<std::string>> CheckAllQueries(const Scenario& scenario,
                                                 const std::filesystem::path& analyze,
                                                 const std::filesystem::path& archive);

}  // namespace ktstr
