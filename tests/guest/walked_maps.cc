#include "walked_maps.h"

#include <utility>

#include "guest_tests.h"

namespace ktstr {

void WalkMaps(const FrozenGuest& guest, BpfMaps* maps) {
  const auto live = WalkBpfMaps(guest.live());
  auto kept = WalkBpfMaps(guest.kept());
  ASSERT_OK(live);
  ASSERT_OK(kept);
  EXPECT_EQ(live->maps, kept->maps);
  EXPECT_EQ(live->values, kept->values);
  EXPECT_EQ(live->elements, kept->elements);
  EXPECT_EQ(live->arena_pages, kept->arena_pages);
  *maps = *std::move(kept);
  ExpectNoAnomalies({&live->anomalies, &maps->anomalies});
}

}  // namespace ktstr
