// A program for guests of tests: makes BPF maps of the kinds that hold more than a table, fills
// them with what bpf_map_guest_test.cc expects, and says of each, as the guest's kernel has it:
//
//   NAME ID MEMLOCK
//
// A process stays behind that holds them.
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>

namespace {

constexpr size_t kPage = 4096;
// Newer than the headers that this is built with.
constexpr uint32_t kUserRing = 31, kArena = 33;

[[noreturn]] void Die(const char* what) {
  fprintf(stderr, "bpf_user: %s: %s\n", what, strerror(errno));
  exit(1);
}

int Bpf(int command, bpf_attr& attributes, const char* what) {
  const long result = syscall(SYS_bpf, command, &attributes, sizeof attributes);
  if (result < 0) Die(what);
  return static_cast<int>(result);
}

struct Shape {
  const char* name;
  uint32_t type, key_size, value_size, max_entries;
  uint32_t flags = 0;
  int inner = 0;  // of a map of maps: one like its maps
  int btf = 0;
};

int Make(const Shape& shape) {
  bpf_attr attributes = {};
  attributes.map_type = shape.type;
  attributes.key_size = shape.key_size;
  attributes.value_size = shape.value_size;
  attributes.max_entries = shape.max_entries;
  attributes.map_flags = shape.flags;
  attributes.inner_map_fd = static_cast<uint32_t>(shape.inner);
  if (shape.btf != 0) {
    attributes.btf_fd = static_cast<uint32_t>(shape.btf);
    attributes.btf_key_type_id = 1;
    attributes.btf_value_type_id = 2;
  }
  strncpy(attributes.map_name, shape.name, sizeof attributes.map_name - 1);
  return Bpf(BPF_MAP_CREATE, attributes, shape.name);
}

void Put(int map, const void* key, const void* value) {
  bpf_attr attributes = {};
  attributes.map_fd = static_cast<uint32_t>(map);
  attributes.key = reinterpret_cast<uint64_t>(key);
  attributes.value = reinterpret_cast<uint64_t>(value);
  Bpf(BPF_MAP_UPDATE_ELEM, attributes, "putting a value");
}

void Push(int map, uint64_t value) { Put(map, nullptr, &value); }

void Pop(int map) {
  uint64_t value;
  bpf_attr attributes = {};
  attributes.map_fd = static_cast<uint32_t>(map);
  attributes.value = reinterpret_cast<uint64_t>(&value);
  Bpf(BPF_MAP_LOOKUP_AND_DELETE_ELEM, attributes, "taking a value");
}

std::byte* Map(int map, size_t offset, size_t size, int access) {
  void* memory = mmap(nullptr, size, access, MAP_SHARED, map, static_cast<off_t>(offset));
  if (memory == MAP_FAILED) Die("mapping a map");
  return static_cast<std::byte*>(memory);
}

void Tell(const char* name, int map) {
  bpf_map_info info = {};
  bpf_attr attributes = {};
  attributes.info.bpf_fd = static_cast<uint32_t>(map);
  attributes.info.info_len = sizeof info;
  attributes.info.info = reinterpret_cast<uint64_t>(&info);
  Bpf(BPF_OBJ_GET_INFO_BY_FD, attributes, "asking for a map's id");
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fdinfo/%d", map);
  FILE* file = fopen(path, "r");
  if (file == nullptr) Die(path);
  unsigned long long memlock = 0;
  for (char line[128]; fgets(line, sizeof line, file) != nullptr;) {
    sscanf(line, "memlock: %llu", &memlock);
  }
  fclose(file);
  printf("%s %u %llu\n", name, info.id, memlock);
}

// A queue whose ring has gone round: 22, 33, 44, 55 are in it.
void MakeQueue() {
  const int map = Make({"u_queue", BPF_MAP_TYPE_QUEUE, 0, 8, 4});
  for (const uint64_t value : {11, 22, 33}) Push(map, value);
  Pop(map);
  for (const uint64_t value : {44, 55}) Push(map, value);
  Tell("u_queue", map);
}

void MakeStack() {
  const int map = Make({"u_stack", BPF_MAP_TYPE_STACK, 0, 8, 4});
  for (const uint64_t value : {1, 2, 3}) Push(map, value);
  Pop(map);
  Push(map, 4);
  Tell("u_stack", map);
}

void MakeMapsOfMaps() {
  const int inner = Make({"u_inner", BPF_MAP_TYPE_ARRAY, 4, 8, 1});
  const uint32_t zero = 0, one = 1, five = 5;
  const uint64_t value = 77;
  Put(inner, &zero, &value);
  Tell("u_inner", inner);
  const int array = Make({"u_maps_array", BPF_MAP_TYPE_ARRAY_OF_MAPS, 4, 4, 2, 0, inner});
  Put(array, &one, &inner);
  Tell("u_maps_array", array);
  const int hash = Make({"u_maps_hash", BPF_MAP_TYPE_HASH_OF_MAPS, 4, 4, 4, 0, inner});
  Put(hash, &five, &inner);
  Tell("u_maps_hash", hash);
}

void MakeTrie() {
  struct Key {
    uint32_t bits;
    uint8_t address[4];
  };
  const int map = Make({"u_trie", BPF_MAP_TYPE_LPM_TRIE, sizeof(Key), 8, 16, BPF_F_NO_PREALLOC});
  // Below the first, the other two part at a node that is no entry.
  constexpr Key kKeys[] = {{8, {10, 0, 0, 0}}, {16, {10, 1, 0, 0}}, {16, {10, 2, 0, 0}}};
  for (const Key& key : kKeys) {
    const uint64_t value = key.address[1];
    Put(map, &key, &value);
  }
  Tell("u_trie", map);
}

void MakeBloom() {
  const int map = Make({"u_bloom", BPF_MAP_TYPE_BLOOM_FILTER, 0, 8, 100});
  for (const uint64_t value : {1, 2, 3}) Push(map, value);
  Tell("u_bloom", map);
}

bpf_insn Instruction(uint8_t code, uint8_t to, uint8_t from, int16_t offset, int32_t immediate) {
  bpf_insn instruction = {};
  instruction.code = code;
  instruction.dst_reg = to & 0xf;
  instruction.src_reg = from & 0xf;
  instruction.off = offset;
  instruction.imm = immediate;
  return instruction;
}

// Each run of the program puts 0x2a into the ring. Of three records the first is read.
void MakeRing() {
  const int map = Make({"u_ring", BPF_MAP_TYPE_RINGBUF, 0, 0, 4096});
  const bpf_insn code[] = {
      Instruction(BPF_ST | BPF_MEM | BPF_DW, 10, 0, -8, 0x2a),
      Instruction(BPF_LD | BPF_IMM | BPF_DW, 1, BPF_PSEUDO_MAP_FD, 0, map),
      Instruction(0, 0, 0, 0, 0),
      Instruction(BPF_ALU64 | BPF_MOV | BPF_X, 2, 10, 0, 0),
      Instruction(BPF_ALU64 | BPF_ADD | BPF_K, 2, 0, 0, -8),
      Instruction(BPF_ALU64 | BPF_MOV | BPF_K, 3, 0, 0, 8),
      Instruction(BPF_ALU64 | BPF_MOV | BPF_K, 4, 0, 0, BPF_RB_NO_WAKEUP),
      Instruction(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_ringbuf_output),
      Instruction(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0),
      Instruction(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
  };
  bpf_attr load = {};
  load.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
  load.insns = reinterpret_cast<uint64_t>(code);
  load.insn_cnt = sizeof code / sizeof code[0];
  load.license = reinterpret_cast<uint64_t>("GPL");
  const int program = Bpf(BPF_PROG_LOAD, load, "loading a program");
  char packet[64] = {};
  for (int i = 0; i < 3; ++i) {
    bpf_attr run = {};
    run.test.prog_fd = static_cast<uint32_t>(program);
    run.test.data_in = reinterpret_cast<uint64_t>(packet);
    run.test.data_size_in = sizeof packet;
    Bpf(BPF_PROG_TEST_RUN, run, "running a program");
  }
  auto* consumer =
      reinterpret_cast<std::atomic<uint64_t>*>(Map(map, 0, kPage, PROT_READ | PROT_WRITE));
  consumer->store(16);
  Tell("u_ring", map);
}

// One record of 12 bytes that the kernel has not read.
void MakeUserRing() {
  const int map = Make({"u_user_ring", kUserRing, 0, 0, 4096});
  auto* producer =
      reinterpret_cast<std::atomic<uint64_t>*>(Map(map, kPage, kPage, PROT_READ | PROT_WRITE));
  std::byte* data = Map(map, 2 * kPage, kPage, PROT_READ | PROT_WRITE);
  const uint32_t header[] = {12, 0};
  memcpy(data, header, sizeof header);
  memcpy(data + sizeof header, "twelve bytes", 12);
  producer->store(24);
  Tell("u_user_ring", map);
}

// Of its 16 pages two are there.
void MakeArena() {
  const int map = Make({"u_arena", kArena, 0, 0, 16, BPF_F_MMAPABLE});
  std::byte* memory = Map(map, 0, 16 * kPage, PROT_READ | PROT_WRITE);
  memcpy(memory, "page zero", 9);
  memcpy(memory + 5 * kPage, "page five", 9);
  Tell("u_arena", map);
  printf("u_arena_at %llu 0\n", reinterpret_cast<unsigned long long>(memory));
}

// The types int (1) and u64 (2).
int LoadTypes() {
  struct {
    uint16_t magic = 0xeb9f;
    uint8_t version = 1, flags = 0;
    uint32_t header_size = 24, types_at = 0, types_size = 32, names_at = 32, names_size = 12;
    uint32_t types[8] = {1, 1u << 24, 4, 1u << 24 | 32, 5, 1u << 24, 8, 64};
    char names[12] = "\0int\0u64";
  } types;
  bpf_attr load = {};
  load.btf = reinterpret_cast<uint64_t>(&types);
  load.btf_size = sizeof types;
  return Bpf(BPF_BTF_LOAD, load, "loading types");
}

void MakeSocketStorage() {
  const int map =
      Make({"u_socket", BPF_MAP_TYPE_SK_STORAGE, 4, 8, 0, BPF_F_NO_PREALLOC, 0, LoadTypes()});
  const int of = socket(AF_UNIX, SOCK_STREAM, 0);
  if (of < 0) Die("making a socket");
  const uint64_t value = 1234;
  Put(map, &of, &value);
  Tell("u_socket", map);
}

// Of a file. A kernel without BPF among its security modules (lsm=) has no room for it in inodes.
void MakeInodeStorage() {
  constexpr uint32_t kInodeStorage = 28;
  const int map = Make({"u_inode", kInodeStorage, 4, 8, 0, BPF_F_NO_PREALLOC, 0, LoadTypes()});
  const int of = open("/bpf_user", O_RDONLY);
  if (of < 0) Die("opening a file");
  const uint64_t value = 5678;
  Put(map, &of, &value);
  Tell("u_inode", map);
}

}  // namespace

int main() {
  int ready[2];
  if (pipe(ready) != 0) Die("pipe");
  const pid_t pid = fork();
  if (pid < 0) Die("fork");
  if (pid == 0) {
    setsid();
    MakeQueue();
    MakeStack();
    MakeMapsOfMaps();
    MakeTrie();
    MakeBloom();
    MakeRing();
    MakeUserRing();
    MakeArena();
    MakeSocketStorage();
    MakeInodeStorage();
    fflush(stdout);
    if (write(ready[1], "x", 1) != 1) Die("write");
    fclose(stdout);
    for (;;) pause();
  }
  close(ready[1]);
  char byte;
  return read(ready[0], &byte, 1) == 1 ? 0 : 1;
}
