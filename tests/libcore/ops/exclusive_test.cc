// That an operation needs a machine that stands still is a property of the types: what must not be
// possible does not compile, and that is what is claimed here.
#include "libcore/kernel/exclusive.h"

#include <concepts>
#include <type_traits>

#include "ops_guest.h"

namespace ktstr {
namespace {

// Nobody but a lender can make one, and nobody can keep one.
static_assert(!std::is_default_constructible_v<Exclusive>);
static_assert(!std::is_aggregate_v<Exclusive>);
static_assert(!std::is_copy_constructible_v<Exclusive>);
static_assert(!std::is_move_constructible_v<Exclusive>);
static_assert(!std::is_copy_assignable_v<Exclusive>);
static_assert(!std::is_move_assignable_v<Exclusive>);
static_assert(!std::is_constructible_v<Exclusive, int>);

// Nothing converts to one on its own.
static_assert(!std::is_convertible_v<GuestKernel&, const Exclusive&>);

template <typename D, typename... Arguments>
concept Dispatches = requires(D& dispatcher, const Arguments&... arguments) {
  dispatcher.Dispatch(arguments...);
};
template <typename D, typename... Arguments>
concept Runs = requires(D& dispatcher, const Arguments&... arguments) {
  dispatcher.Run(arguments...);
};
template <typename K, typename... Arguments>
concept Writes = requires(K& kernel, const Arguments&... arguments) {
  kernel.Write(arguments...);
};

// There is no way to a read-modify-write that does without.
static_assert(Dispatches<Dispatcher, Exclusive, OpRequest>);
static_assert(!Dispatches<Dispatcher, OpRequest>);
static_assert(Runs<Dispatcher, Exclusive, OpRequest>);
static_assert(!Runs<Dispatcher, OpRequest>);
static_assert(Writes<GuestKernel, Exclusive, Kva, uint32_t>);
static_assert(!Writes<GuestKernel, Kva, uint32_t>);
static_assert(!Writes<GuestKernel, Kva, std::span<const std::byte>>);

TEST(ExclusiveTest, ItIsLentForOneCallAndHandsTheAnswerOut) {
  const int answer = StillGuest::Exclusively([](const Exclusive&) { return 42; });
  EXPECT_EQ(answer, 42);
  // What is reached with it can be handed out, it itself cannot.
  static_assert(std::is_same_v<decltype(StillGuest::Exclusively([](const Exclusive&) {})), void>);
}

}  // namespace
}  // namespace ktstr
