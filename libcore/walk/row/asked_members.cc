#include "libcore/walk/row/asked_members.h"

#include <atomic>
#include <mutex>
#include <set>

namespace ktstr {

namespace {

std::atomic<bool> wanted = false;
std::mutex mutex;
std::set<AskedMember> asked;

}  // namespace

AskedMembers::AskedMembers() {
  const std::lock_guard lock(mutex);
  asked.clear();
  wanted = true;
}

AskedMembers::~AskedMembers() { wanted = false; }

std::vector<AskedMember> AskedMembers::All() const {
  const std::lock_guard lock(mutex);
  return {asked.begin(), asked.end()};
}

void AskedMembers::Note(const Structure& structure, const MemberPaths& paths, bool needed) {
  if (!wanted) return;
  AskedMember member{std::string(structure.name), std::string(structure.part), {}, needed};
  for (const std::string_view path : paths.all()) member.paths.emplace_back(path);
  const std::lock_guard lock(mutex);
  asked.insert(std::move(member));
}

}  // namespace ktstr
