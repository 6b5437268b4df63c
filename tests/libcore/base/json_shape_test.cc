#include "libcore/base/json_shape.h"

#include <gtest/gtest.h>

#include <string>

namespace ktstr {
namespace {

TEST(JsonShapeTest, DepthIsThatOfObjectsAndArraysInEachOther) {
  EXPECT_TRUE(KeepsWithin({.depth = 2, .tokens = 100}, R"([[], {}, [1]])"));
  EXPECT_FALSE(KeepsWithin({.depth = 2, .tokens = 100}, R"([[], {"a": []}])"));
  EXPECT_FALSE(IsTooDeep(std::string(256, '[') + std::string(256, ']')));
  EXPECT_TRUE(IsTooDeep(std::string(257, '[')));
}

TEST(JsonShapeTest, WhatStandsInTextsDoesNotCount) {
  EXPECT_TRUE(KeepsWithin({.depth = 1, .tokens = 1}, R"(["[[[[,:\"[[\\"])"));
}

TEST(JsonShapeTest, EveryElementCounts) {
  EXPECT_TRUE(KeepsWithin({.depth = 9, .tokens = 4}, R"({"a": [1, 2]})"));
  EXPECT_FALSE(KeepsWithin({.depth = 9, .tokens = 3}, R"({"a": [1, 2]})"));
}

}  // namespace
}  // namespace ktstr
