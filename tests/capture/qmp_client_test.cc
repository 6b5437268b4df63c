#include "capture/qemu/qmp_client.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <nlohmann/json.hpp>

#include "capture/system/unix_socket.h"
#include "fixtures/sample/temporary_directory.h"
#include "scripted_peer.h"

namespace ktstr {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::AllOf;
using testing::HasSubstr;

Result<std::unique_ptr<QmpClient>> Open(ScriptedPeer& peer, milliseconds timeout = seconds(10)) {
  return QmpClient::Open(peer.TakeClientEnd(), "the VM", timeout);
}

TEST(QmpClientTest, GreetsAndTellsTheVersion) {
  ScriptedPeer peer([](ScriptedPeer& p) {
    p.Greet();
    p.AwaitEnd();
  });
  const auto client = Open(peer);
  ASSERT_TRUE(client) << client.error().ToString();
  EXPECT_EQ((*client)->qemu_version(), "7.2.22");
}

TEST(QmpClientTest, AnEventMayComeBeforeTheGreeting) {
  ScriptedPeer peer([](ScriptedPeer& p) {
    p.Event("SHUTDOWN", {{"guest", true}});
    p.Greet();
    p.AwaitEnd();
  });
  const auto client = Open(peer);
  ASSERT_TRUE(client) << client.error().ToString();
  EXPECT_EQ((*client)->qemu_version(), "7.2.22");
  EXPECT_EQ((*client)->NextEvent(After(seconds(0)))->name, "SHUTDOWN");
}

TEST(QmpClientTest, ACommandYieldsItsReturnAndEventsOnTheWayAreKept) {
  ScriptedPeer peer([](ScriptedPeer& p) {
    p.Greet();
    const auto request = p.Hear();
    p.Event("STOP");
    p.Event("MIGRATION", {{"status", "setup"}});
    p.Return(request, {{"got", request["execute"]}, {"with", request["arguments"]}});
    p.AwaitEnd();
  });
  const auto client = *Open(peer);
  const auto answer = client->Execute("query-status", {{"a", 1}});
  ASSERT_TRUE(answer) << answer.error().ToString();
  EXPECT_EQ((*answer)["got"], "query-status");
  EXPECT_EQ((*answer)["with"]["a"], 1);
  // Taken by name, in any order.
  EXPECT_EQ(client->WaitForEvent("MIGRATION", After(seconds(0)))->data->at("status"), "setup");
  EXPECT_EQ(client->WaitForEvent("STOP", After(seconds(0)))->name, "STOP");
}

TEST(QmpClientTest, AnEventThatComesLaterIsWaitedFor) {
  ScriptedPeer peer([](ScriptedPeer& p) {
    p.Greet();
    p.Event("OTHER");
    p.Event("SHUTDOWN", {{"guest", true}});
    p.AwaitEnd();
  });
  const auto client = *Open(peer);
  EXPECT_EQ(client->WaitForEvent("SHUTDOWN", After(seconds(10)))->data->at("guest"), true);
  EXPECT_EQ(client->NextEvent(After(seconds(0)))->name, "OTHER");
}

TEST(QmpClientTest, AnEventThatNeverComesIsATimeout) {
  ScriptedPeer peer([](ScriptedPeer& p) {
    p.Greet();
    p.AwaitEnd();
  });
  const auto client = *Open(peer);
  const auto event = client->WaitForEvent("STOP", After(milliseconds(20)));
  ASSERT_FALSE(event);
  EXPECT_EQ(event.error().code(), ErrorCode::kTimeout);
  EXPECT_THAT(event.error().ToString(), HasSubstr("STOP"));
}

TEST(QmpClientTest, ARefusalTellsClassAndDescription) {
  ScriptedPeer peer([](ScriptedPeer& p) {
    p.Greet();
    const auto request = p.Hear();
    p.Say(R"({"id": )" + request["id"].dump() +
          R"(, "error": {"class": "CommandNotFound", "desc": "no such thing"}})");
    p.AwaitEnd();
  });
  const auto client = *Open(peer);
  const auto answer = client->Execute("nonsense");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code(), ErrorCode::kPeer);
  EXPECT_THAT(answer.error().ToString(), AllOf(HasSubstr("nonsense"), HasSubstr("CommandNotFound"),
                                               HasSubstr("no such thing")));
}

TEST(QmpClientTest, ALateAnswerIsNotTakenForTheNextOne) {
  ScriptedPeer peer([](ScriptedPeer& p) {
    p.Greet();
    const auto slow = p.Hear();
    const auto quick = p.Hear();  // the client gave the first one up
    p.Return(slow, "late");
    p.Return(quick, "in time");
    p.AwaitEnd();
  });
  const auto client = *Open(peer);
  const auto slow = client->Execute("stop", nullptr, {.timeout = milliseconds(20)});
  ASSERT_FALSE(slow);
  EXPECT_EQ(slow.error().code(), ErrorCode::kTimeout);
  EXPECT_THAT(slow.error().ToString(), AllOf(HasSubstr("'stop'"), HasSubstr("20 ms")));
  EXPECT_EQ(client->Execute("cont").value(), "in time");
}

TEST(QmpClientTest, APeerThatDiesDuringACommandIsAPeerError) {
  ScriptedPeer peer([](ScriptedPeer& p) {
    p.Greet();
    p.Hear();
  });
  const auto client = *Open(peer);
  const auto answer = client->Execute("stop");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code(), ErrorCode::kPeer);
  EXPECT_EQ(ExitCodeFor(answer.error().code()), ExitCode::kEnvironment);
}

TEST(QmpClientTest, ASilentPeerIsATimeoutThatHintsAtAnotherClient) {
  ScriptedPeer peer([](ScriptedPeer& p) { p.AwaitEnd(); });
  const auto client = Open(peer, milliseconds(20));
  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().code(), ErrorCode::kTimeout);
  EXPECT_THAT(client.error().ToString(), AllOf(HasSubstr("one client"), HasSubstr("20 ms")));
}

// What a peer says without end instead of its answer, and with what it does so.
struct Endless {
  const char* what;
  std::string said;
};

class EndlessPeerTest : public testing::TestWithParam<Endless> {};

TEST_P(EndlessPeerTest, IsATimeoutThatNamesItsLimit) {
  ScriptedPeer peer([](ScriptedPeer& p) {
    p.Greet();
    p.Hear();
    while (p.SayBytes(GetParam().said)) continue;
  });
  const auto client = *Open(peer);
  const auto answer = client->Execute("stop", nullptr, {.timeout = milliseconds(50)});
  ASSERT_FALSE(answer);
  // Where the machine is fast, a line grows too long before the time is up.
  const auto is_too_long = [](const Error& error) {
    return error.code() == ErrorCode::kPeer &&
           error.ToString().find("a line of more than") != std::string::npos;
  };
  if (!is_too_long(answer.error())) {
    EXPECT_EQ(answer.error().code(), ErrorCode::kTimeout);
    EXPECT_THAT(answer.error().ToString(), AllOf(HasSubstr("'stop'"), HasSubstr("50 ms")));
  }
  const auto event = client->WaitForEvent("RESUME", After(milliseconds(50)));
  ASSERT_FALSE(event);
  if (!is_too_long(event.error())) {
    EXPECT_EQ(event.error().code(), ErrorCode::kTimeout);
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, EndlessPeerTest,
    testing::Values(Endless{"events", "{\"event\": \"NOTHING\"}\n"},
                    Endless{"replies", "{\"id\": 1000, \"return\": {}}\n"},
                    Endless{"blanks", std::string(5000, '\n')},
                    Endless{"line", "{\"return\": \"" + std::string(5000, 'x')},
                    Endless{"depth", std::string(5000, '[')}),
    [](const testing::TestParamInfo<Endless>& info) { return info.param.what; });

TEST(QmpClientTest, WhateverIsNoQmpServerIsRefused) {
  for (const char* greeting : {"SSH-2.0-OpenSSH_9.2", R"({"hello": "there"})", "[1, 2]", "17",
                               "{\"QMP\": {\"version\": ", "\xff\xfe\x01"}) {
    ScriptedPeer peer([greeting](ScriptedPeer& p) {
      p.Say(greeting);
      p.AwaitEnd();
    });
    const auto client = Open(peer);
    ASSERT_FALSE(client) << greeting;
    EXPECT_EQ(client.error().code(), ErrorCode::kPeer) << greeting;
  }
}

TEST(QmpClientTest, AnswersOfTheWrongTypeAreErrorsNotCrashes) {
  ScriptedPeer peer([](ScriptedPeer& p) {
    p.Greet();
    p.Hear();
    p.Say(R"({"id": 2, "error": "not an object"})");
    p.Hear();
    p.Say(R"({"id": "two", "return": 5})");
    p.Say(R"({"id": 3})");
    p.Return(p.Hear(), nlohmann::json::array({1}));
    p.AwaitEnd();
  });
  const auto client = *Open(peer);
  EXPECT_EQ(client->Execute("a").error().code(), ErrorCode::kPeer);
  EXPECT_EQ(client->Execute("b").error().code(), ErrorCode::kPeer);
  EXPECT_EQ(client->HumanCommand("info status").error().code(), ErrorCode::kPeer);
}

TEST(QmpClientTest, AFileHandedOverArrives) {
  ino_t arrived = 0;
  UniqueFd sent(open("/etc/passwd", O_RDONLY | O_CLOEXEC));
  struct stat info = {};
  ASSERT_EQ(fstat(sent.get(), &info), 0);
  SocketPair pair = *MakeSocketPair();
  std::thread server([&arrived, fd = pair.theirs.get()] {
    JsonSocket socket(UniqueFd(dup(fd)), "client");
    std::ignore = socket.Send(nlohmann::json::parse(R"({"QMP": {}})"), After(seconds(10)));
    std::ignore = socket.Receive(After(seconds(10)));
    std::ignore = socket.Send({{"id", 1}, {"return", nullptr}}, After(seconds(10)));
    char text[512];
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    iovec bytes = {text, sizeof text};
    msghdr header = {};
    header.msg_iov = &bytes;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof control;
    if (recvmsg(fd, &header, 0) <= 0 || CMSG_FIRSTHDR(&header) == nullptr) return;
    int received = -1;
    std::memcpy(&received, CMSG_DATA(CMSG_FIRSTHDR(&header)), sizeof received);
    const UniqueFd owner(received);
    struct stat info = {};
    if (fstat(received, &info) == 0) arrived = info.st_ino;
    std::ignore = socket.Send({{"id", 2}, {"return", nullptr}}, After(seconds(10)));
  });
  const auto client = QmpClient::Open(std::move(pair.ours), "the VM", seconds(10));
  const auto answer = client ? (*client)->Execute("getfd", {{"fdname", "x"}}, {.fds = {sent.get()}})
                             : Result<nlohmann::json>(nullptr);
  server.join();
  ASSERT_TRUE(client) << client.error().ToString();
  ASSERT_TRUE(answer) << answer.error().ToString();
  EXPECT_EQ(arrived, info.st_ino);
}

// Functions that copy or print JSON call themselves for each array in an array.
TEST(QmpClientTest, AnAnswerThatIsDeeperThanAnyIsRefused) {
  ScriptedPeer peer([](ScriptedPeer& p) {
    p.Greet();
    p.Hear();
    p.Say(R"({"id": 2, "return": )" + std::string(200'000, '[') + std::string(200'000, ']') + "}");
    p.AwaitEnd();
  });
  const auto client = *Open(peer);
  const auto answer = client->Execute("query-status");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code(), ErrorCode::kPeer);
  EXPECT_THAT(answer.error().ToString(), HasSubstr("JSON that is too deep"));
}

TEST(QmpClientTest, ASocketThatIsNotThereIsAnEnvironmentErrorThatNamesIt) {
  const auto client = QmpClient::Connect("/nonexistent/vm.qmp");
  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().code(), ErrorCode::kIo);
  EXPECT_THAT(client.error().ToString(), HasSubstr("/nonexistent/vm.qmp"));
}

TEST(QmpClientTest, AFileThatIsNoSocketIsAnEnvironmentError) {
  const auto client = QmpClient::Connect("/etc/passwd");
  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().code(), ErrorCode::kIo);
}

// A QEMU that is hung: the system takes connections for it until its queue is full.
TEST(QmpClientTest, AQueueThatIsFullIsATimeoutThatNamesItsLimit) {
  const synthetic::TemporaryDirectory directory;
  const std::string path = directory / "vm.qmp";
  const UniqueFd listener(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  ASSERT_EQ(bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(listen(listener.get(), 0), 0);
  const auto waiting = ConnectToUnixSocket(path, After(seconds(10)));
  ASSERT_TRUE(waiting) << waiting.error().ToString();
  const auto client = QmpClient::Connect(path, milliseconds(50));
  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().code(), ErrorCode::kTimeout);
  EXPECT_THAT(client.error().ToString(), AllOf(HasSubstr(path), HasSubstr("50 ms")));
}

TEST(QmpClientTest, APathTooLongForASocketIsAUsageError) {
  const auto client = QmpClient::Connect("/" + std::string(200, 'x'));
  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().code(), ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace ktstr
