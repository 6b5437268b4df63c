#include "capture/qemu/register_text.h"

#include <gtest/gtest.h>

namespace ktstr {
namespace {

TEST(RegisterTextTest, EachVcpuHasItsPageTables) {
  const auto vcpus = ParseRegisterText(
      "CPU#0\r\nRAX=0000000000000000 RBX=ffffffff81a0f4c0\r\n"
      "GDT=     fffffe0000001000 0000007f\r\nIDT=     fffffe0000000000 00000fff\r\n"
      "CR0=80050033 CR2=00007fa30a53d000 CR3=0000000001826000 CR4=00751eb0\r\n"
      "\r\nCPU#1\r\nIDT=     fffffe0000000000 00000fff\r\n"
      "CR0=80050033 CR2=0000000000000000 CR3=0000000001c0a806 CR4=00000020\r\n");
  ASSERT_EQ(vcpus.size(), 2u);
  EXPECT_EQ(vcpus[0].cr3, 0x1826000u);
  EXPECT_EQ(vcpus[0].cr4, 0x751eb0u);
  EXPECT_TRUE(vcpus[0].five_level_paging());
  EXPECT_EQ(vcpus[0].idt.base, 0xfffffe0000000000u);
  EXPECT_EQ(vcpus[1].cpu, 1u);
  EXPECT_EQ(vcpus[1].page_table_root(), Pa(0x1c0a000));
  EXPECT_FALSE(vcpus[1].five_level_paging());
}

TEST(RegisterTextTest, WhatIsNoSuchAnswerHasNoVcpus) {
  EXPECT_TRUE(ParseRegisterText("").empty());
  EXPECT_TRUE(ParseRegisterText("unknown command: 'info registers'").empty());
  EXPECT_TRUE(ParseRegisterText("CPU#0\r\nCR0=").empty());
}

}  // namespace
}  // namespace ktstr
