#include "libcore/walk/bpf/value_sink.h"

#include <fmt/format.h>

#include <algorithm>

#include "libcore/walk/value/typed_value.h"
#include "libcore/walk/value/value_json.h"

namespace ktstr {

namespace {

// A map that is larger than memory, for its size was overwritten, is not gone through to its end.
constexpr size_t kMaxMissing = 256;
// Lists in elements of lists; the kernel (btf_check_and_fixup_fields) allows one in the other.
constexpr int kMaxNesting = 4;

}  // namespace

BpfValueSink::BpfValueSink(const Walk& walk, const BpfMapLimits& limits)
    : walk_(walk),
      limits_(limits),
      cpus_(ListCpus(walk)),
      special_(walk),
      text_left_(limits.max_text) {
  special_.SeeElements([this](const BpfElement& element) { AddElement(element); });
}

void BpfValueSink::Begin(const BpfMapShape& map, BpfMaps& maps) {
  map_ = map;
  maps_ = &maps;
  tried_ = missing_ = elements_ = 0;
  capped_ = false;
}

BpfMapValueRow* BpfValueSink::Add(std::string key, Kva kva) {
  return Add(std::move(key), kva, map_.types, map_.value_type, map_.value_size);
}

BpfMapValueRow* BpfValueSink::Add(std::string key, Kva kva, const TypeInfo* types, TypeId type,
                                  uint64_t size, std::span<const std::string_view> tags) {
  if (!Count(size)) return nullptr;
  buffer_.resize(size);
  if (const auto read = walk_.kernel.Read(kva, buffer_); !read) {
    Missing(read.error(), kva, fmt::format("the value of {}", key));
    return nullptr;
  }
  key_ = key;
  BpfMapValueRow row = {.map_id = map_.id, .key = std::move(key)};
  row.value = types == nullptr || type == TypeId{0}
                  ? BytesToJson(buffer_)
                  : ToJson({*types, type, kva, tags}, buffer_, special_);
  if (!TakeText(row.value.size())) return nullptr;
  row.value_kva = Hex(kva);
  return &maps_->values.emplace_back(std::move(row));
}

BpfMapValueRow* BpfValueSink::AddJson(std::string key, Kva kva, std::string value) {
  if (!Count(value.size()) || !TakeText(value.size())) return nullptr;
  BpfMapValueRow row = {.map_id = map_.id, .key = std::move(key), .value = std::move(value)};
  row.value_kva = Hex(kva);
  return &maps_->values.emplace_back(std::move(row));
}

void BpfValueSink::AddElement(const BpfElement& element) {
  if (nesting_ >= kMaxNesting) {
    return walk_.anomalies.Add(
        "damage", element.head,
        fmt::format("BPF map {}: lists in lists, {} deep", map_.id, kMaxNesting));
  }
  if (capped_ || !walk_.meter->Take()) return;
  if (elements_++ >= limits_.max_values_per_map) {
    if (elements_ == limits_.max_values_per_map + 1) {
      walk_.anomalies.Add("cap", element.head,
                          fmt::format("BPF map {}: stopped after {} elements of lists and trees",
                                      map_.id, limits_.max_values_per_map));
    }
    return;
  }
  // What the element holds in turn comes behind it.
  const size_t at = maps_->elements.size();
  BpfElementRow& row = maps_->elements.emplace_back();
  row.map_id = map_.id;
  row.key = key_;
  row.container = element.container;
  row.head_kva = Hex(element.head);
  row.position = static_cast<int64_t>(element.position);
  row.type = element.types.NameOf(element.type);
  row.element_kva = Hex(element.kva);
  const auto place = WholeObject(element.types, element.type, element.kva);
  ++nesting_;
  auto value = place ? ReadJson(walk_.kernel, element.types, *place, &special_)
                     : tl::unexpected<Error>(place.error());
  --nesting_;
  if (value) {
    if (TakeText(value->size())) maps_->elements[at].value = *std::move(value);
  } else {
    Missing(value.error(), element.kva, "an element of a list or tree");
  }
}

void BpfValueSink::AddPercpu(const std::string& key, Kva percpu) {
  if (percpu.is_null()) return;
  for (const CpuRef& cpu : cpus_) {
    const auto area = walk_.kernel.PerCpu(percpu, cpu.cpu);
    if (!area) {
      Missing(area.error(), percpu, "a value");
      continue;
    }
    if (BpfMapValueRow* row = Add(key, *area)) row->cpu = cpu.cpu;
  }
}

void BpfValueSink::AddSection(const TypeInfo& types, TypeId section, Kva data) {
  for (const SectionVariable& variable : types.VariablesOf(section)) {
    if (capped_) return;
    Add(TextToJson(variable.name), data + variable.offset, &types, variable.type, variable.size,
        types.TagsOfVariable(variable.variable));
  }
}

std::string BpfValueSink::KeyAt(Kva kva) {
  buffer_.resize(std::min(map_.key_size, kMaxValueBytes));
  if (const auto read = walk_.kernel.Read(kva, buffer_); !read) {
    Missing(read.error(), kva, "a key");
    return "null";
  }
  if (map_.types == nullptr || map_.key_type == TypeId{0}) return BytesToJson(buffer_);
  return ToJson(*map_.types, map_.key_type, buffer_);
}

void BpfValueSink::Missing(const Error& error, Kva at, std::string_view what) {
  walk_.anomalies.Add(error, at, fmt::format("BPF map {}: {}", map_.id, what));
  if (++missing_ < kMaxMissing || capped_) return;
  capped_ = true;
  walk_.anomalies.Add(
      "cap", map_.kva,
      fmt::format("BPF map {}: stopped after {} places that cannot be read", map_.id, missing_));
}

void BpfValueSink::Damage(Kva at, std::string_view what) {
  walk_.anomalies.Add("damage", at, fmt::format("BPF map {}: {}", map_.id, what));
}

bool BpfValueSink::Count(uint64_t size) {
  if (capped_) return false;
  if (tried_++ < limits_.max_values_per_map && size <= kMaxValueBytes && walk_.meter->Take()) {
    return true;
  }
  capped_ = true;
  walk_.anomalies.Add("cap", map_.kva,
                      fmt::format("BPF map {}: stopped after {} values", map_.id, tried_ - 1));
  return false;
}

bool BpfValueSink::TakeText(size_t size) {
  if (size <= text_left_) {
    text_left_ -= size;
    return true;
  }
  capped_ = true;
  walk_.anomalies.Add("cap", map_.kva,
                      fmt::format("BPF map {}: the values of all maps have more than {} MiB",
                                  map_.id, limits_.max_text >> 20));
  return false;
}

}  // namespace ktstr
