// One session with gdb, as pure logic: bytes of the client's in, bytes for it out.
#pragma once

#include <string>
#include <string_view>

#include "replay/gdb/packet.h"
#include "replay/gdb/target.h"

namespace ktstr {

// The machine stands still for ever: what would make it run, or write to it, is refused. The answer
// to a packet is a few times kGdbPacketSize at most, but for text of the monitor.
class GdbSession {
 public:
  // `target` must outlive the session.
  explicit GdbSession(GdbTarget& target);

  // What is to be sent in answer to these bytes, which may hold part of a packet or several.
  std::string Receive(std::string_view bytes);
  // Whether the client has said that it goes.
  bool ended() const { return ended_; }

 private:
  std::string Answer(std::string_view packet);  // the answer's bytes on the wire
  std::string Reply(std::string_view packet);   // the answer's data; empty: not supported
  std::string Query(std::string_view packet);
  std::string Select(std::string_view packet);
  std::string ReadOneRegister(std::string_view number);
  std::string ReadMemory(std::string_view range, bool binary);
  std::string Transfer(std::string_view request);
  std::string ThreadList();
  std::string Monitor(std::string_view hex);
  std::string Send(std::string_view data);

  GdbTarget& target_;
  GdbPacketReader reader_;
  GdbThread thread_;           // that registers and memory are asked of
  size_t listed_threads_ = 0;  // of those that are listed in several packets
  bool acknowledges_ = true;
  std::string last_sent_;
  int resent_ = 0;
  bool ended_ = false;
};

}  // namespace ktstr
