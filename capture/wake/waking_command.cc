#include "capture/wake/waking_command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "capture/guest/protocol.h"
#include "capture/system/memory_file.h"
#include "libcore/base/quantity.h"

namespace ktstr {

namespace {

// What QEMU says and shows, to whom it listens, and how it is started: nothing of the guest's.
const std::set<std::string_view> kOfTheHost = {
    "D",         "L",          "S",           "add-fd",    "action",       "chroot",
    "curses",    "d",          "daemonize",   "display",   "dump-vmstate", "full-screen",
    "gdb",       "incoming",   "loadvm",      "mem-path",  "mem-prealloc", "mon",
    "monitor",   "msg",        "no-shutdown", "nographic", "pidfile",      "plugin",
    "preconfig", "qmp",        "qmp-pretty",  "run-with",  "runas",        "s",
    "sandbox",   "sdl",        "spice",       "trace",     "vnc",          "writeconfig",
    "accel",     "enable-kvm", "kernel",      "append",    "initrd",       "chardev",
    "daemonize", "perfmap",    "jitdump"};

const std::set<std::string_view> kDisks = {"",         "hda", "hdb",   "hdc",   "hdd",
                                           "cdrom",    "fda", "fdb",   "drive", "blockdev",
                                           "mtdblock", "sd",  "pflash"};

bool IsReadable(const std::string& file) {
  // A relative path is of QEMU's working directory, and a descriptor's of its process.
  return file.starts_with('/') && !file.starts_with("/proc/") && access(file.c_str(), R_OK) == 0;
}

// The size in bytes of "-m": a bare number is MiB, and B is bytes (QEMU's parse_option_size).
Result<uint64_t> MemorySize(const std::string& text) {
  if (text.empty()) return uint64_t{128} << 20;  // QEMU's default
  const bool bare = text.find_first_not_of("0123456789") == text.npos;
  if (text.ends_with('B')) return ParseSize(text.substr(0, text.size() - 1));
  return ParseSize(bare ? text + "M" : text);
}

Error Unwakeable(std::string what) {
  return Error(ErrorCode::kUnsupported, "the machine cannot be woken: " + std::move(what));
}

}  // namespace

// Goes through the options one by one; each is kept, dropped, replaced or refused.
class CommandRewriter {
 public:
  CommandRewriter(const ArchiveMetadata& metadata, const WakingRequest& request)
      : metadata_(metadata), old_(SplitQemuCommand(metadata.vmm_command_line)) {
    made_.request_ = request;
  }

  Result<WakingCommand> Make() {
    if (metadata_.vmm_command_line.empty()) {
      return Fail(Unwakeable("its archive has no command line of its VMM"));
    }
    made_.words_.program = made_.request_.program.empty() ? old_.program : made_.request_.program;
    LookAround();
    for (const QemuOption& option : old_.options) KTSTR_TRY(Take(option));
    KTSTR_TRY(FinishMachine());
    FinishConsole();
    AddAccelerator();
    AddKernel();
    // QEMU adds a monitor by itself, which would want a terminal.
    if (!Has("nodefaults")) Add("monitor", "none");
    if (made_.request_.with_disks && has_disks_) Add("snapshot");
    return std::move(made_);
  }

 private:
  bool Has(std::string_view name) const {
    return std::ranges::find(old_.options, name, &QemuOption::name) != old_.options.end();
  }
  std::string ValueOf(std::string_view name) const {
    const auto found = std::ranges::find(old_.options, name, &QemuOption::name);
    return found == old_.options.end() ? "" : found->value.value_or("");
  }
  void Add(std::string name, std::optional<std::string> value = std::nullopt) {
    made_.words_.options.push_back({std::move(name), std::move(value)});
  }
  void Note(std::string sentence) { made_.notes_.push_back(std::move(sentence)); }

  // Which chardevs lead to what, before any of them is replaced.
  void LookAround() {
    for (const QemuOption& option : old_.options) {
      const std::string value = option.value.value_or("");
      if (option.name == "serial" && value.starts_with("chardev:") && console_chardev_.empty()) {
        console_chardev_ = value.substr(value.find(':') + 1);
      }
      if (option.name != "device") continue;
      const auto device = QemuProperties::Parse(value, "driver");
      if (!device || !device->Has("chardev")) continue;
      const std::string driver = device->Get("driver"), chardev = device->Get("chardev");
      if (driver == "isa-serial" && console_chardev_.empty()) console_chardev_ = chardev;
      if (driver == "virtserialport" || driver == "virtconsole") {
        made_.ports_.emplace_back(chardev, device->Get("name"));
      }
    }
    made_.console_id_ = console_chardev_;
  }

  Status Take(const QemuOption& option) {
    const std::string& name = option.name;
    const std::string value = option.value.value_or("");
    if (name == "chardev") return TakeChardev(value);
    if (name == "machine" || name == "M") return TakeMachine(value);
    if (name == "object") return TakeObject(option);
    if (name == "device") return TakeDevice(option);
    if (name == "netdev" || name == "nic" || name == "net") return TakeNetwork(option);
    if (name == "serial" || name == "parallel") return TakeSerial(option);
    if (kDisks.contains(name)) return TakeDisk(option);
    if (name == "L" && made_.request_.program.empty()) Add(name, value);
    if (kOfTheHost.contains(name)) return {};
    if (name == "fw_cfg" && value.find("file=") != value.npos) return {};  // read at boot only
    for (const std::string_view refused : {"fsdev", "virtfs", "tpmdev", "readconfig"}) {
      if (name == refused) {
        return Fail(Unwakeable(
            fmt::format("its command line has '-{} {}', which is the host's and not in the archive",
                        name, value)));
      }
    }
    made_.words_.options.push_back(option);
    return {};
  }

  // What stands at a chardev's other end is gone. A port that is open stays open to the guest.
  Status TakeChardev(const std::string& value) {
    const auto chardev = QemuProperties::Parse(value, "backend");
    const std::string id = chardev ? chardev->Get("id") : "";
    if (id.empty()) return Fail(Unwakeable(fmt::format("'-chardev {}' has no id", value)));
    const bool port = std::ranges::find(made_.ports_, id, [](const auto& p) { return p.first; }) !=
                      made_.ports_.end();
    // Those that a machine which was woken before has from us are made anew.
    if (id != console_chardev_ && !port && !id.starts_with("ktstr-"))
      Add("chardev", "null,id=" + id);
    return {};
  }

  Status TakeMachine(const std::string& value) {
    auto machine = QemuProperties::Parse(value, "type");
    if (!machine) return Fail(Unwakeable(fmt::format("'-machine {}' is not understood", value)));
    machine->Erase("accel");
    if (machine->Has("type")) {
      machine_type_ = machine->Get("type");
      machine->Set("type", TypeOf(machine_type_));
    }
    has_memory_backend_ = has_memory_backend_ || machine->Has("memory-backend");
    Add("machine", machine->ToText());
    return {};
  }

  std::string TypeOf(const std::string& asked) {
    made_.type_ = metadata_.vmm_machine.empty() ? VersionedMachineType(asked, metadata_.vmm_version)
                                                : metadata_.vmm_machine;
    return made_.type_;
  }

  // RAM lies in memory of its own, which is filled from the archive.
  Status TakeObject(const QemuOption& option) {
    auto object = QemuProperties::Parse(*option.value, "qom-type");
    const std::string type = object ? object->Get("qom-type") : "";
    if (type.starts_with("filter-")) return {};
    if (!type.starts_with("memory-backend-")) {
      made_.words_.options.push_back(option);
      return {};
    }
    if (!object->Has("size") || !object->Has("id")) {
      return Fail(Unwakeable(fmt::format("'-object {}' has no size or no id", *option.value)));
    }
    QemuProperties memory = *QemuProperties::Parse("memory-backend-memfd", "qom-type");
    for (const char* key : {"id", "size", "x-use-canonical-path-for-ramblock-id"}) {
      if (object->Has(key)) memory.Set(key, object->Get(key));
    }
    memory.Set("share", "on");
    Add("object", memory.ToText());
    return {};
  }

  Status TakeDevice(const QemuOption& option) {
    const auto device = QemuProperties::Parse(*option.value, "driver");
    const std::string driver = device ? device->Get("driver") : "";
    for (const std::string_view refused :
         {"vfio", "vhost-", "ivshmem", "nvdimm", "virtio-9p", "virtio-pmem", "tpm-"}) {
      if (driver.starts_with(refused)) {
        return Fail(Unwakeable(fmt::format(
            "its device '{}' has state in the host, which is not in the archive", driver)));
      }
    }
    made_.words_.options.push_back(option);
    return {};
  }

  // The network ends at a router of QEMU's own, from which nothing leads further.
  Status TakeNetwork(const QemuOption& option) {
    auto network = QemuProperties::Parse(*option.value, "type");
    if (!network) return Fail(Unwakeable(fmt::format("'-{} {}'", option.name, *option.value)));
    const std::string type = network->Get("type");
    if (type == "none" || type == "nic" || type == "hubport") {
      made_.words_.options.push_back(option);
      return {};
    }
    QemuProperties ours = *QemuProperties::Parse("user", "type");
    for (const char* key :
         {"id", "model", "mac", "macaddr", "addr", "net", "host", "dns", "ipv6"}) {
      const bool network_of_tap = type != "user" && std::string_view(key) == "net";
      if (network->Has(key) && !network_of_tap) ours.Set(key, network->Get(key));
    }
    ours.Set("restrict", "on");
    Add(option.name, ours.ToText());
    Note(fmt::format("its network ({}) leads nowhere any more", type));
    return {};
  }

  Status TakeSerial(const QemuOption& option) {
    if (option.name == "parallel" || *option.value == "none") {
      Add(option.name, *option.value == "none" ? "none" : "null");
      return {};
    }
    const bool first = std::exchange(seen_serial_, true) == false;
    if (!first) {
      Add("serial", "null");
      return {};
    }
    if (console_chardev_.empty()) made_.console_id_ = "ktstr-console";
    Add("serial", "chardev:" + made_.console_id_);
    return {};
  }

  Status TakeDisk(const QemuOption& option) {
    const std::string value = option.value.value_or("");
    const auto disk = QemuProperties::Parse(value, option.name == "blockdev" ? "driver" : "file");
    const bool firmware = option.name == "pflash" || (disk && disk->Get("if") == "pflash");
    const bool empty = option.name == "drive" && disk && !disk->Has("file");
    has_disks_ = has_disks_ || !empty;
    if (!firmware && !empty && !made_.request_.with_disks) {
      return Fail(Unwakeable(fmt::format(
          "it has a disk ('{}{}{}'), whose contents are not in the archive: with --disks it gets "
          "the disk as it is now, and writes to a copy of its own",
          option.name.empty() ? "" : "-" + option.name, option.name.empty() ? "" : " ", value)));
    }
    // "-snapshot" keeps QEMU from writing to any -drive, but to no -blockdev.
    if (option.name == "blockdev" && !(disk && disk->Get("read-only") == "on")) {
      return Fail(Unwakeable(fmt::format("'-blockdev {}' would be written to", value)));
    }
    if (firmware) has_disks_ = true;
    made_.words_.options.push_back(option);
    return {};
  }

  Status FinishMachine() {
    if (made_.type_.empty()) Add("machine", TypeOf("pc"));
    if (made_.type_.empty()) {
      return Fail(Unwakeable(
          fmt::format("its archive does not say what machine '{}' was: the VMM's version is '{}'",
                      machine_type_, metadata_.vmm_version)));
    }
    const bool nodes = std::ranges::any_of(old_.options, [](const QemuOption& option) {
      return option.name == "numa" && option.value &&
             option.value->find("memdev=") != std::string::npos;
    });
    if (has_memory_backend_ || nodes) return {};
    const auto memory = QemuProperties::Parse(ValueOf("m"), "size");
    const uint64_t size = KTSTR_TRY(MemorySize(memory ? memory->Get("size") : ""));
    Add("object", fmt::format("memory-backend-memfd,id=ktstr-ram,size={}B,share=on", size));
    Add("machine", "memory-backend=ktstr-ram");
    return {};
  }

  // QEMU gives a machine its first serial port by itself, unless it is told not to.
  void FinishConsole() {
    const bool by_default = !seen_serial_ && !Has("nodefaults") && console_chardev_.empty();
    if (!by_default) return;
    made_.console_id_ = "ktstr-console";
    Add("serial", "chardev:ktstr-console");
  }

  void AddAccelerator() {
    // With what was said of just this one, such as "tcg,thread=single".
    std::string words = made_.request_.accelerator;
    for (const QemuOption& option : old_.options) {
      const std::string value = option.value.value_or("");
      if (option.name == "accel" && value.starts_with(words + ",")) words = value;
    }
    Add("accel", words);
  }

  // Of use when the machine is reset, and then only.
  void AddKernel() {
    const std::string kernel = ValueOf("kernel"), initrd = ValueOf("initrd");
    if (kernel.empty()) return;
    if (!IsReadable(kernel) || (!initrd.empty() && !IsReadable(initrd))) {
      if (!Has("no-reboot"))
        Note("a reset would not boot it again: its kernel or initrd is not to be had here");
      return;
    }
    Add("kernel", kernel);
    if (Has("append")) Add("append", ValueOf("append"));
    if (!initrd.empty()) Add("initrd", initrd);
  }

  const ArchiveMetadata& metadata_;
  const QemuWords old_;
  WakingCommand made_;
  std::string console_chardev_, machine_type_;
  bool has_memory_backend_ = false, seen_serial_ = false, has_disks_ = false;
};

Result<WakingCommand> WakingCommand::Make(const ArchiveMetadata& metadata,
                                          const WakingRequest& request) {
  return CommandRewriter(metadata, request).Make();
}

bool WakingCommand::has_init() const {
  return std::ranges::any_of(ports_, [](const auto& p) { return p.second == guest::kPortName; });
}

std::vector<std::string> WakingCommand::Words(const QemuFiles& files) const {
  QemuWords words;
  words.program = words_.program;
  const auto add = [&words](std::string name, std::optional<std::string> value = std::nullopt) {
    words.options.push_back({std::move(name), std::move(value)});
  };
  const auto server = [](const std::string& path) {
    QemuProperties socket = *QemuProperties::Parse("socket", "backend");
    socket.Set("path", path);
    socket.Set("server", "on");
    socket.Set("wait", "off");
    return socket;
  };
  // Chardevs first: what uses them is made behind them.
  if (!console_id_.empty()) {
    QemuProperties console = request_.places.console_socket.empty()
                                 ? *QemuProperties::Parse("null", "backend")
                                 : server(request_.places.console_socket);
    console.Set("id", console_id_);
    console.Set("logfile", PathOfFd(files.console));
    console.Set("logappend", "on");
    add("chardev", console.ToText());
  }
  for (const auto& [id, name] : ports_) {
    const int fd = name == guest::kPortName      ? files.port
                   : name == guest::kOpsPortName ? files.ops
                                                 : -1;
    if (request_.ports == WakingPorts::kOurs && fd >= 0) {
      add("chardev", fmt::format("socket,id={},fd={}", id, fd));
    } else {
      add("chardev", fmt::format("file,id={},path=/dev/null", id));
    }
  }
  words.options.insert(words.options.end(), words_.options.begin(), words_.options.end());
  add("display", "none");
  add("chardev", fmt::format("socket,id=ktstr-qmp,fd={}", files.qmp));
  add("mon", "chardev=ktstr-qmp,mode=control");
  if (!request_.places.qmp_socket.empty()) {
    QemuProperties qmp = server(request_.places.qmp_socket);
    qmp.Set("id", "ktstr-attached");
    add("chardev", qmp.ToText());
    add("mon", "chardev=ktstr-attached,mode=control");
  }
  if (files.gdb >= 0) {
    add("chardev", fmt::format("socket,id=ktstr-gdb,fd={}", files.gdb));
    add("gdb", "chardev:ktstr-gdb");
  } else if (!request_.places.gdb_socket.empty()) {
    QemuProperties gdb = server(request_.places.gdb_socket);
    gdb.Set("id", "ktstr-gdb");
    add("chardev", gdb.ToText());
    add("gdb", "chardev:ktstr-gdb");
  }
  // A machine that switches itself off can still be read.
  add("action", "shutdown=pause");
  add("S");
  add("incoming", "defer");
  return JoinQemuCommand(words);
}

std::string VersionedMachineType(const std::string& type, const std::string& vmm_version) {
  // "QEMU 7.2.22": versioned types have the first two numbers.
  constexpr std::string_view kQemu = "QEMU ";
  if (!vmm_version.starts_with(kQemu)) return "";
  std::string version = vmm_version.substr(kQemu.size());
  const size_t dot = version.find('.');
  if (dot == version.npos) return "";
  version.resize(std::min(version.find_first_not_of("0123456789", dot + 1), version.size()));
  if (type == "q35") return "pc-q35-" + version;
  if (type == "pc" || type == "pc-i440fx") return "pc-i440fx-" + version;
  return type;
}

}  // namespace ktstr
