#include "libcore/walk/trace/ring_page.h"

#include <fmt/format.h>

#include <cstring>

namespace ktstr {

// A sub-buffer begins with the time of its first event and the number of bytes that are committed;
// events follow, each behind a header of 4 bytes (include/linux/ring_buffer.h, struct
// ring_buffer_event): 5 bits of type or length, 27 bits of time since the event before.
//
//   1..28   a record of so many words
//   0       a record whose length, with this word, is in the next word
//   29      padding: without a time to the end of the page, else an event that was taken back
//   30      the time goes on by the next word as well
//   31      a time of its own, without its top five bits

namespace {

constexpr uint32_t kTypeBits = 5;
constexpr uint32_t kPadding = 29, kTimeExtend = 30, kTimeStamp = 31;
constexpr uint32_t kTimeShift = 27;
constexpr uint64_t kWord = 4;
// RB_MISSED_EVENTS and RB_MISSED_STORED: in the upper bits of `commit`.
constexpr uint64_t kMissedEvents = uint64_t{1} << 31, kMissedStored = uint64_t{1} << 30;
// TS_MSB: what a time of its own lacks.
constexpr uint64_t kTimeTop = uint64_t{0xf8} << 56;
// An event that was taken back, and had no time since the one before, got this one
// (rb_event_discard).
constexpr uint64_t kNoTime = 1;

class PageReader {
 public:
  PageReader(std::span<const std::byte> data, RingPage& page)
      : data_(data), page_(page), time_(page.time) {}

  void Run() {
    while (data_.size() - at_ >= kWord) {
      if (!Next()) return;
    }
    if (at_ != data_.size()) Damage("a part of a word is left");
  }

 private:
  uint32_t WordAt(uint64_t at) const {
    uint32_t word;
    std::memcpy(&word, data_.data() + at, sizeof word);
    return word;
  }
  bool Damage(std::string_view what) {
    page_.damage =
        fmt::format("event {} at byte {} of the page: {}", page_.events.size(), at_, what);
    return false;
  }
  // The word behind the header; nothing, and damage, where the page has none.
  std::optional<uint32_t> SecondWord() {
    if (data_.size() - at_ < 2 * kWord) {
      Damage("its header reaches beyond what is committed");
      return std::nullopt;
    }
    return WordAt(at_ + kWord);
  }

  // Whether there is more.
  bool Next() {
    const uint32_t header = WordAt(at_);
    const uint32_t type = header & ((1u << kTypeBits) - 1);
    const uint64_t delta = header >> kTypeBits;
    if (type == kPadding && delta == 0) return false;
    if (type != 0 && type < kPadding) return Record(delta, kWord, type * kWord);
    const auto word = SecondWord();
    if (!word) return false;
    switch (type) {
      case kTimeExtend:
        time_ += delta + (uint64_t{*word} << kTimeShift);
        break;
      case kTimeStamp:
        SetTime(delta + (uint64_t{*word} << kTimeShift));
        break;
      case kPadding:
        if (delta != kNoTime) time_ += delta;
        return Skip(kWord + *word);
      default:
        if (*word < kWord) return Damage(fmt::format("a record of {} bytes", *word));
        return Record(delta, 2 * kWord, *word - kWord);
    }
    return Skip(2 * kWord);
  }

  // As rb_fix_abs_ts does: the top bits are those of the time before, and time does not go back.
  void SetTime(uint64_t time) {
    if ((time_ & kTimeTop) != 0) {
      time |= time_ & kTimeTop;
      if (time < time_) time += uint64_t{1} << 59;
    }
    time_ = time;
  }

  bool Record(uint64_t delta, uint64_t header, uint64_t length) {
    const uint64_t left = data_.size() - at_ - header;
    if (length > left) {
      return Damage(fmt::format("{} bytes, where {} are committed", length, left));
    }
    time_ += delta;
    page_.events.push_back({time_, data_.subspan(at_ + header, length)});
    return Skip(header + length);
  }

  bool Skip(uint64_t length) {
    if (length > data_.size() - at_) {
      return Damage(
          fmt::format("{} bytes to skip, where {} are committed", length, data_.size() - at_));
    }
    at_ += length;
    return true;
  }

  std::span<const std::byte> data_;
  RingPage& page_;
  uint64_t time_;
  uint64_t at_ = 0;
};

}  // namespace

RingPage ReadRingPage(std::span<const std::byte> bytes, uint64_t data_offset, uint64_t time,
                      uint64_t commit) {
  RingPage page;
  page.time = time;
  uint64_t committed = commit & (kMissedStored - 1);
  if (data_offset > bytes.size()) {
    page.damage = "the page is shorter than its header";
    return page;
  }
  const std::span<const std::byte> data = bytes.subspan(data_offset);
  std::string too_long;
  if (committed > data.size()) {
    too_long = fmt::format("{} bytes are committed of a page of {}", committed, data.size());
    committed = data.size();
  }
  if ((commit & kMissedEvents) != 0) {
    page.missed = 0;
    // Their number stands behind the data, where there was room for it.
    if ((commit & kMissedStored) != 0 && data.size() - committed >= sizeof(uint64_t)) {
      std::memcpy(&*page.missed, data.data() + committed, sizeof(uint64_t));
    }
  }
  PageReader(data.first(committed), page).Run();
  if (!too_long.empty()) page.damage = too_long;
  return page;
}

}  // namespace ktstr
